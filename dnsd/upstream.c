/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time and health of an upstream. Called by forward.c and the transports.
 *
 * Each try has an ID of its own, so an answer says which try it is of: also those of repeated questions are measured
 * (Karn's problem does not arise). A failure counts when what failed was sent after the last one counted: a thousand
 * questions that were under way when an upstream fell silent are one failure, not a thousand. Source: RFC 6298 2. */
#include "dnsd/upstream.h"

#include <netinet/in.h>

static void addr_set(struct upstream *u)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(u->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(u->port) };

	if (u->ip.family == IP_V4) {
		memcpy(&in4.sin_addr, u->ip.bytes, sizeof(in4.sin_addr));
		memcpy(&u->addr, &in4, sizeof(in4));
		u->addr_len = sizeof(in4);
		return;
	}
	memcpy(&in6.sin6_addr, u->ip.bytes, sizeof(in6.sin6_addr));
	memcpy(&u->addr, &in6, sizeof(in6));
	u->addr_len = sizeof(in6);
}

int upstream_init(struct upstream *u, const struct plan_upstream *from, struct err *e)
{
	char text[IP_TEXT_MAX];

	*u = (struct upstream){ .kind = from->kind, .ip = from->addr, .port = from->port };
	addr_set(u);
	if (u->kind != UPSTREAM_TLS)
		return 0;
	/* OpenSSL checks no name when it is empty, and every name below when it begins with a dot. */
	if (from->tls_name == NULL || from->tls_name[0] == '\0' || from->tls_name[0] == '.')
		return err_set(e, -EBADMSG, "upstream %s with TLS, but no whole name for its certificate",
			       ip_addr_print(&u->ip, text));
	u->tls_name = strdup(from->tls_name);
	return u->tls_name == NULL ? err_set(e, -ENOMEM, "upstream") : 0;
}

void upstream_done(struct upstream *u)
{
	free(u->tls_name);
	u->tls_name = NULL;
}

uint64_t upstream_rto_us(const struct upstream *u, uint32_t round)
{
	uint64_t rto = u->srtt_us == 0 ? UPSTREAM_RTO_FIRST_US : u->srtt_us + 4ull * u->rttvar_us;

	if (rto < UPSTREAM_RTO_MIN_US)
		rto = UPSTREAM_RTO_MIN_US;
	rto <<= round < 4 ? round : 4;
	return rto < UPSTREAM_RTO_MAX_US ? rto : UPSTREAM_RTO_MAX_US;
}

void upstream_answered(struct upstream *u, uint64_t rtt_us)
{
	u->answered++;
	u->n_failed = 0;
	u->down = false;
	u->probe_interval_us = 0;
	if (rtt_us == 0)
		return;
	if (u->srtt_us == 0) {
		u->srtt_us = (uint32_t)rtt_us;
		u->rttvar_us = (uint32_t)rtt_us / 2;
		return;
	}
	{
		uint32_t rtt = (uint32_t)rtt_us;
		uint32_t off = rtt > u->srtt_us ? rtt - u->srtt_us : u->srtt_us - rtt;

		u->rttvar_us = u->rttvar_us - u->rttvar_us / 4 + off / 4;
		u->srtt_us = u->srtt_us - u->srtt_us / 8 + rtt / 8;
		if (u->srtt_us == 0)
			u->srtt_us = 1;
	}
}

void upstream_failed(struct upstream *u, uint64_t sent_us, uint64_t now_us)
{
	if (sent_us < u->failed_us)
		return;
	u->failed_us = now_us;
	if (u->down || ++u->n_failed < UPSTREAM_DOWN_AFTER)
		return;
	u->down = true;
	u->probe_interval_us = UPSTREAM_PROBE_MIN_US;
	u->probe_us = now_us + u->probe_interval_us;
}

bool upstream_probe_due(struct upstream *u, uint64_t now_us)
{
	if (!u->down || now_us < u->probe_us)
		return false;
	u->probe_interval_us *= 2;
	if (u->probe_interval_us > UPSTREAM_PROBE_MAX_US)
		u->probe_interval_us = UPSTREAM_PROBE_MAX_US;
	u->probe_us = now_us + u->probe_interval_us;
	return true;
}

const char *upstream_print(const struct upstream *u, char *buf)
{
	char text[IP_TEXT_MAX];

	snprintf(buf, UPSTREAM_TEXT_MAX, "%s#%u", ip_addr_print(&u->ip, text), u->port);
	return buf;
}
