/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages of a scenario: questions and upstreams' answers built from text, clients' answers compared with text. All
 * by ldns, which shares nothing with the code under test. */
#pragma once

#include <ldns/ldns.h>

#include "script.h"

/* Records of a block, by section. "authority" or "additional" alone on a line begins that section; "soa TTL" stands
 * for one SOA record of that TTL. */
struct records {
	ldns_rr_list *sections[3]; /* answer, authority, additional */
	long soa_ttl;		   /* -1: not said */
};

void block_records_read(const struct step *s, struct records *ret);
void block_records_done(struct records *r);

/* A question as a client sends it. */
struct ask {
	const char *name; /* in the client's case */
	ldns_rr_type type;
	ldns_rr_class class_;
	uint16_t id;
	uint16_t size; /* EDNS; 0: none */
	uint8_t version, opcode;
	bool rd, ad, cd, dnssec_ok;
};

/* @ret: returned, free(). */
void ask_write(const struct step *s, const struct ask *a, uint8_t **ret, size_t *ret_len);

/* An upstream's answer. */
struct reply_script {
	const char *name;
	ldns_rr_type type;
	unsigned rcode;
	bool aa;
	const struct records *records;
};

/* @ret: returned, free(). */
void reply_write(const struct step *s, const struct reply_script *a, uint8_t **ret, size_t *ret_len);

/* What a client's answer must be. */
struct want {
	unsigned rcode; /* with the upper bits of OPT */
	bool aa, ad, tc;
	bool any_records;     /* the block does not count */
	long n_answer;	      /* -1: the block says it */
	int ede;	      /* -1: none */
	const char *ede_text; /* part of its text; NULL: any */
	size_t size_max;
};

/* Ends the program, telling what was wanted and what came, when they differ. @len 0 never comes here. */
void want_check(const struct step *s, const struct ask *a, const struct want *w, const uint8_t *msg, size_t len);

ldns_rr_type type_read(const struct step *s, const char *text);
unsigned rcode_read(const struct step *s, const char *text);
