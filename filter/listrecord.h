/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A DNS record as text, of a zone file (RFC 1035 5.1) or of unbound's local-data, and what it says of a name in a list.
 * Pure; ldns turns the data into wire form. */
#pragma once

#include "filter/listtext.h"

struct list_record {
	uint32_t ttl_s;	  /* as written, or what was given as default */
	uint16_t type;	  /* a number of IANA's */
	struct text data; /* as text */
};

/* "[ttl] [class] TYPE data", what stands behind the owner; ttl and class in any order. @upper: only with its type in
 * capitals, as programs write it: how a line of a zone is told from words. NULL, or why it is no such record. */
const char *list_record_read(struct text t, uint32_t default_ttl_s, bool upper, struct list_record *ret);

/* "300", and BIND's "1h30m". False: it is no TTL. */
bool list_record_ttl(struct text t, uint32_t *ret_s);
/* Of a zone's own making: delegations, signatures. They say nothing of what is in it. */
bool list_record_is_zones(uint16_t type);

/* What the record says: an address that is null or loopback blocks, all else is another answer, which is written to
 * @terms. @origin: for names of the data without their last dot; NULL: nobody knows. NULL, or why not. */
const char *list_record_rule(const struct list_record *r, const struct dname *origin, enum list_action *ret_action,
			     struct list_terms *terms);

/* A name as a record's data have it; what has no dot at its end is below @origin. NULL, or why not. */
const char *list_record_target(struct text t, const struct dname *origin, struct dname *ret);

/* @name and @below behind it. False: too long. */
bool list_name_join(struct dname *name, const struct dname *below);

/* 0.0.0.0, ::, loopback addresses: who writes one for a name wants it blocked. */
bool list_addr_blocks(const struct ip_addr *a);
/* The address as TERM_RECORD. */
void list_terms_put_addr(struct list_terms *terms, const struct ip_addr *a, uint32_t ttl_s);
