/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random rules of all kinds over few names, so that they meet each other, and questions that meet them. */
#pragma once

#include "filter/listfile.h"

struct list_random {
	uint64_t state;		 /* the seed; never 0 */
	struct list_terms terms; /* of the last rule */
};

uint64_t random_next(struct list_random *r);
/* Below @n, which is not 0. */
uint32_t random_below(struct list_random *r, uint32_t n);

/* Borrowed from @r until the next. */
void random_rule(struct list_random *r, struct list_rule *ret);
/* The text of a rule in the formats that lists come in; returns its length. */
size_t random_line(struct list_random *r, char *buf, size_t len);
void random_name(struct list_random *r, struct dname *ret);
void random_addr(struct list_random *r, struct ip_addr *ret);
/* One of some devices, or NULL. */
const struct list_client *random_client(struct list_random *r);
uint16_t random_type(struct list_random *r);
/* @name changed a little: a label more, less, or another; a letter; the case; often not at all. */
void random_near(struct list_random *r, const struct dname *name, struct dname *ret);
