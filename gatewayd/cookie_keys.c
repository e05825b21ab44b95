/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In memory only: after a restart of gatewayd clients' cookies are wrong once, and each is given a new one with its
 * next answer. Called by feed.c. */
#include "gatewayd/cookie_keys.h"

#include <sodium.h>

static_assert(ARRAY_LEN(((struct msg_cookie_keys *)0)->keys) == 2, "this one and the one before");

bool cookie_keys_renew(struct cookie_keys *k, uint64_t now_us)
{
	if (k->msg.n != 0 && now_us - k->made_us < COOKIE_KEY_LIFE_US)
		return false;
	memcpy(k->msg.keys[1], k->msg.keys[0], sizeof(k->msg.keys[0]));
	randombytes_buf(k->msg.keys[0], sizeof(k->msg.keys[0]));
	if (k->msg.n < ARRAY_LEN(k->msg.keys))
		k->msg.n++;
	k->made_us = now_us;
	return true;
}
