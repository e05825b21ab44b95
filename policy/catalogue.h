/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sluice's own lists, that a filter may name without defining them: services to block, safe search. They are in the
 * program (rules/services.txt, rules/safesearch.txt), in AdGuard's syntax. */
#pragma once

#include <stdint.h>

struct catalogue_entry {
	const char *name;  /* "youtube" */
	const char *title; /* "YouTube" */
	const char *text;  /* its rules, a line each */
};

/* How lists of the catalogue are named in a policy and in answers: "service:youtube", "safesearch" (all engines),
 * "safesearch:bing". No list of a policy has such a name. */
#define CATALOGUE_SERVICE     "service:"
#define CATALOGUE_SAFE_SEARCH "safesearch"

/* All of them, sorted by name. */
const struct catalogue_entry *catalogue_services(uint32_t *ret_n);
const struct catalogue_entry *catalogue_engines(uint32_t *ret_n);

/* The rules of a list by its full name; NULL: there is none. */
const char *catalogue_text(const char *list);
