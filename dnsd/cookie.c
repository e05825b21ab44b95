/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Server cookies as RFC 9018 4 has them: version, three reserved bytes, time, and SipHash-2-4 (libsodium's
 * crypto_shorthash) over the client's cookie, those and the client's address. Called by query.c for each question that
 * has the option; nothing is kept, so a restarted dnsd knows the cookies that the one before gave out.
 *
 * A wrong one is no fault of the client's: its address or our secret has changed. It is answered like one that has none
 * (RFC 7873 5.2.4 leaves that to us), unless rates are limited: then it must prove itself (ratelimit.h). */
#include "dnsd/cookie.h"

#include <sodium.h>

#define COOKIE_VERSION 1u
#define HASHED_MAX     (COOKIE_CLIENT_LEN + 8u + 16u) /* with an IPv6 address */

static_assert(crypto_shorthash_BYTES == 8 && crypto_shorthash_KEYBYTES == COOKIE_KEY_LEN, "SipHash-2-4");

/* @head: client's cookie, version, reserved and time: the first 16 bytes of a whole cookie. */
static void cookie_hash(const uint8_t key[COOKIE_KEY_LEN], const uint8_t *head, const struct ip_addr *client,
			uint8_t ret[8])
{
	uint8_t in[HASHED_MAX];
	size_t addr_len = ip_addr_len(client);

	memcpy(in, head, COOKIE_CLIENT_LEN + 8);
	memcpy(in + COOKIE_CLIENT_LEN + 8, client->bytes, addr_len);
	(void)crypto_shorthash(ret, in, COOKIE_CLIENT_LEN + 8 + addr_len, key);
}

static uint32_t cookie_time(const uint8_t *cookie)
{
	struct rcur c = rcur_over(cookie + COOKIE_CLIENT_LEN + 4, 4);

	return rcur_be32(&c);
}

/* Seconds since it was made, negative when that is to come: serial numbers (RFC 1982), good beyond 2106. */
static int32_t cookie_age_s(const uint8_t *cookie, uint32_t now_s)
{
	return (int32_t)(now_s - cookie_time(cookie));
}

static bool cookie_ours(const struct question *q, const struct msg_cookie_keys *keys, const struct ip_addr *client,
			uint32_t now_s, uint32_t *ret_key)
{
	int32_t age_s = cookie_age_s(q->cookie, now_s);
	uint8_t hash[8];

	if (q->cookie_len != COOKIE_LEN || q->cookie[COOKIE_CLIENT_LEN] != COOKIE_VERSION)
		return false;
	if (age_s > COOKIE_LIFE_S || age_s < -COOKIE_AHEAD_S)
		return false;
	for (uint32_t i = 0; i < keys->n; i++) {
		cookie_hash(keys->keys[i], q->cookie, client, hash);
		*ret_key = i;
		if (sodium_memcmp(hash, q->cookie + COOKIE_LEN - sizeof(hash), sizeof(hash)) == 0)
			return true;
	}
	return false;
}

static void cookie_make(struct question *q, const struct msg_cookie_keys *keys, const struct ip_addr *client,
			uint32_t now_s)
{
	struct wcur w = wcur_over(q->reply.cookie, sizeof(q->reply.cookie));

	wcur_bytes(&w, q->cookie, COOKIE_CLIENT_LEN);
	wcur_be32(&w, COOKIE_VERSION << 24);
	wcur_be32(&w, now_s);
	cookie_hash(keys->keys[0], q->reply.cookie, client, w.at);
	q->reply.cookie_len = COOKIE_LEN;
}

enum cookie_state cookie_check(struct question *q, const struct msg_cookie_keys *keys, const struct ip_addr *client,
			       uint32_t now_s)
{
	uint32_t key = 0;
	bool ours;

	if (q->cookie_len == 0 || keys->n == 0)
		return COOKIE_ABSENT;
	ours = cookie_ours(q, keys, client, now_s, &key);
	if (ours && key == 0 && cookie_age_s(q->cookie, now_s) >= 0 &&
	    cookie_age_s(q->cookie, now_s) < COOKIE_RENEW_S) {
		memcpy(q->reply.cookie, q->cookie, COOKIE_LEN);
		q->reply.cookie_len = COOKIE_LEN;
		return COOKIE_VALID;
	}
	cookie_make(q, keys, client, now_s);
	if (ours)
		return COOKIE_VALID;
	return q->cookie_len == COOKIE_CLIENT_LEN ? COOKIE_CLIENT_ONLY : COOKIE_WRONG;
}
