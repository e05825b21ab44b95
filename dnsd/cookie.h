/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS cookies: what proves that a client gets what is sent to its address. */
#pragma once

#include "dnsd/packet.h"
#include "sluice/addr.h"
#include "sluice/msg.h"

/* RFC 9018 4.3. Seconds: how long a server's cookie is good, how far its clock may be ahead of ours (it may be another
 * server's of the same secret), and when a client is given a new one. */
#define COOKIE_LIFE_S  3600
#define COOKIE_AHEAD_S 300
#define COOKIE_RENEW_S 1800

enum cookie_state {
	COOKIE_ABSENT = 0,  /* no option, or we have no secret */
	COOKIE_CLIENT_ONLY, /* the client has none of ours yet */
	COOKIE_WRONG,	    /* not made by us for this address, or too old */
	COOKIE_VALID,
	COOKIE_STATE_MAX
};

/* Judge the cookie of @q and set q->reply to the one that the answer carries. @keys: the first makes, all are good.
 * @client: where the question came from. @now_s: of CLOCK_REALTIME, cut to 32 bits. */
enum cookie_state cookie_check(struct question *q, const struct msg_cookie_keys *keys, const struct ip_addr *client,
			       uint32_t now_s);
