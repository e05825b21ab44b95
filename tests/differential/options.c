/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "options.h"

#include <getopt.h>

static bool option_take(struct options *o, uint32_t packets_max, int opt, const char *text)
{
	uint32_t n = text != NULL ? (uint32_t)strtoul(text, NULL, 10) : 0;

	if (opt == 's')
		o->seed = n;
	else if (opt == 'p')
		o->policies = n;
	else if (opt == 'k' && o->packets != 0 && n != 0 && n <= packets_max)
		o->packets = n;
	else
		return false;
	return true;
}

bool options_parse(struct options *o, uint32_t packets_max, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "policies", required_argument, NULL, 'p' },
		{ "packets", required_argument, NULL, 'k' },
		{ 0 },
	};
	bool good = true;
	int opt;

	while (good && (opt = getopt_long(argc, argv, "", longs, NULL)) != -1)
		good = option_take(o, packets_max, opt, optarg);
	good = good && o->seed != 0;
	if (!good)
		(void)fprintf(stderr, "usage: %s [--seed N] [--policies N]%s\n", program_invocation_short_name,
			      o->packets != 0 ? " [--packets N]" : "");
	return good;
}
