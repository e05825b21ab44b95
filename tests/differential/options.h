/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests over random policies take on their command line. */
#pragma once

#include "base/base.h"

struct options {
	uint32_t seed, policies;
	uint32_t packets; /* 0: the test sends none, and there is no such option */
};

/* @o holds what counts where nothing is said; at most @packets_max packets. False when the command line is wrong, which
 * was said. */
bool options_parse(struct options *o, uint32_t packets_max, int argc, char **argv);
