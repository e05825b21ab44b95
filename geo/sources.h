/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The addresses that a policy asks for by country, network and list: from the files that hold them. */
#pragma once

#include "base/err.h"
#include "policy/compile.h"

/* Where they are; NULL: nowhere. */
struct source_files {
	const char *country_mmdb, *asn_mmdb;
	const char *policy_file;    /* "file" of an iplist is relative to it */
	const char *state_dir;	    /* STATE/lists/NAME.txt is what a "url" gave */
	const char *const *iplists; /* NAME=FILE, before the policy's own */
	uint32_t n_iplists;
};

struct sources {
	struct prefix_source *items; /* keys borrowed from the policy */
	uint32_t n;
	char warning[256]; /* lines of a list that were refused; empty: none */
};

/* Only what p->needs names is read. A file that is named and missing or damaged is an error; one that nobody names, or
 * a URL not downloaded yet, is left out: the compiler says so at its place. sources_done() in every case. */
int sources_load(const struct doc_policy *p, const struct source_files *files, struct sources *ret, struct err *e);
void sources_done(struct sources *s);
