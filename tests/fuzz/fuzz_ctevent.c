/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a datagram of the conntrack event socket. */
#include "recorder/ctevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rcur c = rcur_over(data, size);
	struct flow_event ev;
	int r;

	while ((r = ctevent_next(&c, &ev)) == 1) {
		if (ev.orig.src.family == IP_NONE || ev.orig.src.family != ev.orig.dst.family ||
		    ev.reply.src.family != ev.reply.dst.family)
			abort();
	}
	if (r != 0 && r != -EBADMSG)
		abort();
	return 0;
}
