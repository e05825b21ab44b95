/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sluice-recorder: started by the launcher with the channel to gatewayd as descriptor 3 and nothing else open. */
#include "base/log.h"
#include "recorder/role.h"

#define CHANNEL_FD 3

int main(void)
{
	log_init("recorder", LOG_INFO);
	return recorder_role_run(CHANNEL_FD);
}
