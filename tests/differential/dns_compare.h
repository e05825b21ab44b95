/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random questions over the names of zone files, and the comparison of sections. For dns_compare.c. */
#pragma once

#include <ldns/ldns.h>

#include "base/base.h"

struct probe {
	char name[1100]; /* presentation form, in the case that is asked */
	ldns_rr_type type;
	uint16_t id, size; /* of EDNS; 0: none */
	bool dnssec_ok, cd, ad;
};

struct pool;

/* The names of these zone files. Ends the program when one cannot be read. The same seed gives the same questions. */
struct pool *pool_new(uint64_t seed, char **files, unsigned n_files);
void pool_free(struct pool *p);
void pool_probe(struct pool *p, struct probe *ret);

/* @ret: returned, free(). */
void probe_write(const struct probe *q, uint8_t **ret, size_t *ret_len);
void probe_print(const struct probe *q, FILE *out);
/* Bytes that an answer over UDP may have. */
size_t probe_limit(const struct probe *q);

/* As sets, whatever TTLs and case. */
bool records_equal(const ldns_rr_list *a, const ldns_rr_list *b);
/* Each of @a is in @b. */
bool records_within(const ldns_rr_list *a, const ldns_rr_list *b);
/* The same records have nearly the same TTLs. */
bool ttls_near(const ldns_rr_list *a, const ldns_rr_list *b, long slack_s);
