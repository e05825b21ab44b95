/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sluice-fetch: started by gatewayd's launcher with its channel as fd 3, for one round of downloads. */
#include "fetch/role.h"

#define CHANNEL_FD 3

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("sluice-fetch %s\n", SLUICE_VERSION) < 0;
	if (argc != 1) {
		(void)fprintf(stderr, "usage: sluice-fetch   (started by sluice-gatewayd)\n");
		return 2;
	}
	return fetch_main(CHANNEL_FD);
}
