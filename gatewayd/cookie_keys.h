/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The secret that DNS cookies are made with: gatewayd's, so that all workers, and a dnsd that is started again, share
 * it. */
#pragma once

#include "sluice/msg.h"

/* RFC 7873 7.1: at least every 36 days; 26 hours are recommended. */
#define COOKIE_KEY_LIFE_US (26ull * 3600 * 1000000)

struct cookie_keys {
	struct msg_cookie_keys msg;
	uint64_t made_us; /* CLOCK_BOOTTIME */
};

/* Make a secret when there is none, or when it is due; the one before stays good besides (RFC 9018 5). True: it has
 * changed. */
bool cookie_keys_renew(struct cookie_keys *k, uint64_t now_us);
