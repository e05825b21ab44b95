/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is written down of questions and answers. */
#pragma once

#include "dnsd/query.h"

/* CLOCK_REALTIME. */
uint64_t realtime_us(void);

/* An answer to a client is about to leave; it was asked at @came_us of env's clock. @len 0 or negative: none leaves. */
void query_note(struct query_env *env, enum dns_outcome outcome, uint16_t type, uint64_t came_us, const uint8_t *msg,
		int len);
/* The same to dnstap, by what the client's view says. @rule: that blocks it, or NULL. */
void query_tap_answer(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		      enum dns_outcome outcome, const uint8_t *msg, int len, uint64_t came_us, const char *rule);
void query_tap_question(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
			const uint8_t *msg, size_t len);
