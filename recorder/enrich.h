/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Country and autonomous system of an address, from MMDB files. */
#pragma once

#include "base/err.h"
#include "recorder/flow.h"

struct enrich;

struct enrich_result {
	char country[2];	 /* zeros: not known */
	uint32_t as_number;	 /* 0: not known */
	struct flow_text as_org; /* borrowed from the file, for the life of the enrich object */
};

struct enrich *enrich_new(void); /* knows nothing; NULL when out of memory */
struct enrich *enrich_free(struct enrich *en);
/* Each may be left out, then that member stays unknown. On failure (no such file, no MMDB) too. */
int enrich_open_country(struct enrich *en, const char *path, struct err *e);
int enrich_open_asn(struct enrich *en, const char *path, struct err *e);
/* Never fails: what a damaged file cannot tell is unknown. */
void enrich_find(const struct enrich *en, const struct ip_addr *addr, struct enrich_result *ret);
