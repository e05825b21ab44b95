/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a compilation without the gateway is given of the world: the time, time zones, countries, networks, address
 * lists; and the options that say where they are. */
#pragma once

#include "geo/sources.h"
#include "geo/zones.h"

#define WORLD_IPLISTS_MAX 64 /* as many as there can be lists of names */

enum { WORLD_AT = 0x100, WORLD_GEO, WORLD_ASN, WORLD_IPLIST, WORLD_GATEWAY };

/* For getopt_long(); what comes back goes to world_option(). */
#define WORLD_LONGS                                                                                                    \
	{ "at", required_argument, NULL, WORLD_AT }, { "geo", required_argument, NULL, WORLD_GEO },                    \
		{ "asn", required_argument, NULL, WORLD_ASN }, { "iplist", required_argument, NULL, WORLD_IPLIST },    \
	{                                                                                                              \
		"gateway", required_argument, NULL, WORLD_GATEWAY                                                      \
	}

#define WORLD_HELP                                                                                                     \
	"--at T           judge schedules and expiry at this time (2027-01-31T18:00:00Z)\n"                            \
	"--geo FILE, --asn FILE   country and network databases (MMDB) for geo: and asn:\n"                            \
	"--iplist NAME=FILE       an address list, instead of what the policy's dns.iplists says\n"                    \
	"--gateway G      take the databases, the lists' folder and the ways out from these settings\n"

struct world_options {
	const char *at, *gateway, *country, *asn;
	const char *iplists[WORLD_IPLISTS_MAX];
	uint32_t n_iplists;
};

struct world {
	struct arena *mem;
	struct compile_env env; /* points into the rest; .at_s is 0 without --at */
	struct sources sources;
	struct zones zones;
};

/* False: @opt is none of WORLD_LONGS, or there are too many. */
bool world_option(struct world_options *o, int opt, const char *arg);
/* @policy_file: as given by the user. 0 or negative with @e. world_done() in every case. */
int world_load(struct world *w, const struct doc_policy *p, const char *policy_file, const struct world_options *o,
	       struct err *e);
void world_done(struct world *w);
