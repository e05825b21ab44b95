/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text that libunbound is configured with. Called by recursor.c, and by resolver.c to compare routes. Pure.
 *
 * What the text must ensure: a split suffix goes to its own forwarders and nowhere else (forward-first no), whatever
 * unbound's built-in local zones say of it (transparent) and whether its parent is signed (domain-insecure); an alias
 * from a public name into a split suffix takes the split's forwarder too, because it is the same context.
 *
 * Where it differs from unbound's defaults, and why, is said beside the option: unbound.conf(5). */
#include "dnsd/recursor_config.h"

#include <stdarg.h>

#include "dnsd/dot.h"

/* Of the text: 64 splits of four upstreams take 30 kB. Generous, since policies are the operator's own. */
#define CONFIG_TEXT_MAX (4u << 20)

/* The fixed part.
 *
 * harden-glue, harden-dnssec-stripped, harden-below-nxdomain: the defaults, named because answers rest on them.
 * harden-referral-path and harden-algo-downgrade stay off: the first multiplies questions to the root and the top
 * level, the second refuses zones in the middle of an algorithm roll-over (RFC 6840 5.11 lets one signature suffice).
 * val-log-level 2: nothing is logged, but libunbound keeps the reason of a failure at this level only.
 * root-key-sentinel: a name of RFC 8509 is to be SERVFAIL, which the event API does not tell from an insecure answer.
 * use-caps-for-id: authorities that change the case of a name exist, ports and ids are random, and signed names need
 * nothing more (RFC 5452 9).
 * prefetch, serve-expired: the answer cache before this one does it (fetch.c), once for all resolvers.
 * private-address: the rebind guard is ours (reply.c), as it must know which names are of a split.
 * Cache sizes are per route and worker: 12 MB hold some 40,000 names, of which the most asked are in our own cache.
 * outgoing-range: sockets at once, one a question that waits for an authority, each with a port of its own, random of
 * all above 1024 but those that IANA has given away (the default of outgoing-port-permit). */
static const char config_head[] = "server:\n"
				  "\tverbosity: 0\n"
				  "\tval-log-level: 2\n"
				  "\troot-key-sentinel: no\n"
				  "\tunblock-lan-zones: yes\n"
				  "\tinsecure-lan-zones: yes\n"
				  "\tqname-minimisation: yes\n"
				  "\tharden-glue: yes\n"
				  "\tharden-dnssec-stripped: yes\n"
				  "\tharden-below-nxdomain: yes\n"
				  "\tprefetch: no\n"
				  "\tprefetch-key: yes\n"
				  "\tmsg-cache-size: 4m\n"
				  "\tmsg-cache-slabs: 1\n"
				  "\trrset-cache-size: 8m\n"
				  "\trrset-cache-slabs: 1\n"
				  "\tkey-cache-size: 1m\n"
				  "\tkey-cache-slabs: 1\n"
				  "\tneg-cache-size: 1m\n"
				  "\tinfra-cache-slabs: 1\n"
				  "\tinfra-cache-numhosts: 2000\n"
				  "\tinfra-keep-probing: yes\n"
				  "\tnum-queries-per-thread: 4096\n"
				  "\toutgoing-range: 1024\n"
				  "\toutgoing-num-tcp: 64\n"
				  "\tedns-buffer-size: 1232\n"
				  "\tuse-caps-for-id: no\n"
				  "\tminimal-responses: yes\n"
				  "\tserve-expired: no\n"
				  "\tso-reuseport: no\n"
				  "\tuse-syslog: no\n"
				  "\tchroot: \"\"\n"
				  "\tusername: \"\"\n";

struct text {
	char *buf;
	size_t len, cap;
	int err;
	struct dot *dot; /* relays for upstreams with TLS; NULL: written as what they are */
};

PRINTF_LIKE(2, 3) static void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->err != 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->cap - t->len)
		t->err = -E2BIG;
	else
		t->len += (size_t)n;
}

/* A name as unbound's configuration file takes it: letters, digits, '-', '_', '*' as they are, the rest as \ddd. */
static void text_name(struct text *t, const struct dname *n)
{
	for (size_t i = 0; i < n->len && n->wire[i] != 0; i += n->wire[i] + 1u) {
		for (size_t k = i + 1; k <= i + n->wire[i]; k++) {
			uint8_t c = n->wire[k];
			bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

			if (plain)
				text_add(t, "%c", c);
			else
				text_add(t, "\\%03u", c);
		}
		text_add(t, ".");
	}
	if (n->labels == 0)
		text_add(t, ".");
}

static bool tls_name_plain(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] == '\0';
}

static int text_upstream(struct text *t, const struct plan_upstream *u, struct err *e)
{
	char addr[IP_TEXT_MAX];
	uint16_t port = 0;
	int rc;

	if (u->tls_name != NULL && !tls_name_plain(u->tls_name))
		return err_set(e, -EBADMSG, "upstream %s: certificate name", ip_addr_print(&u->addr, addr));
	if (u->kind == UPSTREAM_TLS && t->dot != NULL) {
		rc = dot_add(t->dot, u, &port, e);
		text_add(t, "\tforward-addr: 127.0.0.1@%u\n", port);
		return rc;
	}
	text_add(t, "\tforward-addr: %s@%u", ip_addr_print(&u->addr, addr), u->port);
	if (u->kind == UPSTREAM_TLS && u->tls_name != NULL)
		text_add(t, "#%s", u->tls_name);
	text_add(t, "\n");
	return 0;
}

static bool upstreams_tls(const struct plan_upstream *us, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (us[i].kind == UPSTREAM_TLS)
			return true;
	return false;
}

/* A zone is all TLS or all plain: unbound decides it by zone. Where both are named, only those with TLS are used: what
 * was meant to be sealed is never sent in the clear. */
static int text_forward(struct text *t, const struct dname *zone, const struct plan_upstream *us, uint32_t n,
			struct err *e)
{
	enum upstream_kind kind = upstreams_tls(us, n) ? UPSTREAM_TLS : UPSTREAM_UDP;
	uint32_t used = 0;

	text_add(t, "forward-zone:\n\tname: \"");
	text_name(t, zone);
	text_add(t, "\"\n\tforward-first: no\n\tforward-tcp-upstream: %s\n", kind == UPSTREAM_TLS ? "yes" : "no");
	for (uint32_t i = 0; i < n; i++) {
		int rc;

		if (us[i].kind != kind)
			continue;
		rc = text_upstream(t, &us[i], e);
		if (rc != 0)
			return rc;
		used++;
	}
	/* A forward zone without addresses would be resolved from the root. */
	return used == 0 ? err_set(e, -EBADMSG, "a forwarded zone without an upstream") : 0;
}

bool recursor_uses_tls(const struct route *route)
{
	for (uint32_t i = 0; i < route->n_splits; i++)
		if (upstreams_tls(route->splits[i].upstreams, route->splits[i].n_upstreams))
			return true;
	return upstreams_tls(route->upstreams, route->n_upstreams);
}

static bool is_recursive(const struct route *route)
{
	return route->n_upstreams == 0 || route->upstreams[0].kind == UPSTREAM_RECURSIVE;
}

/* The root hints are the internet's: nothing on this host is an authority there, and a delegation that says so is a
 * trap. With upstreams on loopback (a resolver of this host, the relays of dot.c), and below roots of one's own, it may
 * be meant. */
static bool loopback(const struct plan_upstream *us, uint32_t n)
{
	static const uint8_t v6[16] = { [15] = 1 };

	for (uint32_t i = 0; i < n; i++) {
		const struct ip_addr *a = &us[i].addr;

		if (us[i].kind == UPSTREAM_RECURSIVE)
			continue;
		if (a->family == IP_V4 ? a->bytes[0] == 127 : memcmp(a->bytes, v6, sizeof(v6)) == 0)
			return true;
	}
	return false;
}

static bool asks_localhost(const struct route *route)
{
	bool any = loopback(route->upstreams, route->n_upstreams) || recursor_uses_tls(route) ||
		   (route->roots != NULL && route->roots->hints_own);

	for (uint32_t i = 0; !any && i < route->n_splits; i++)
		any = loopback(route->splits[i].upstreams, route->splits[i].n_upstreams);
	return any;
}

static void text_option(struct text *t, const char *option, const struct dname *name, const char *rest)
{
	text_add(t, "\t%s: \"", option);
	text_name(t, name);
	text_add(t, "\"%s\n", rest);
}

bool recursor_should_validate(const struct route *route)
{
	return is_recursive(route) || route->dnssec;
}

bool recursor_validates(const struct route *route)
{
	const struct dns_roots *roots = route->roots;

	if (!recursor_should_validate(route))
		return false;
	return roots != NULL && (roots->anchor_file != NULL || (roots->anchors != NULL && roots->anchors[0] != '\0'));
}

static void text_anchors(struct text *t, const struct dns_roots *roots)
{
	const char *at = roots->anchors;

	for (uint32_t i = 0; i < roots->n_insecure; i++)
		text_option(t, "domain-insecure", &roots->insecure[i], "");
	if (roots->anchor_file != NULL) {
		text_add(t, "\tauto-trust-anchor-file: \"%s\"\n", roots->anchor_file);
		/* No permit-small-holddown: libunbound 1.17 divides by zero where an interval is below 10 s. */
		text_add(t, "\tadd-holddown: %u\n", roots->anchor_hold_down_s);
		return;
	}
	while (*at != '\0') {
		int n = (int)strcspn(at, "\n");

		text_add(t, "\ttrust-anchor: \"%.*s\"\n", n, at);
		at += n + (at[n] == '\n');
	}
}

static void text_server(struct text *t, const struct route *route)
{
	bool validate = recursor_validates(route);

	text_add(t, "%s", config_head);
	text_add(t, "\tdo-not-query-localhost: %s\n", asks_localhost(route) ? "no" : "yes");
	text_add(t, "\tmodule-config: \"%s\"\n", validate ? "validator iterator" : "iterator");
	if (route->roots != NULL && route->roots->hints != NULL)
		text_add(t, "\troot-hints: \"%s\"\n", route->roots->hints);
	if (validate)
		text_anchors(t, route->roots);
	/* Denials learned from a parent zone must not speak for a split suffix. */
	text_add(t, "\taggressive-nsec: %s\n", route->n_splits != 0 ? "no" : "yes");
	for (uint32_t i = 0; i < route->n_splits; i++) {
		text_option(t, "local-zone", &route->splits[i].suffix, " transparent");
		text_option(t, "domain-insecure", &route->splits[i].suffix, "");
	}
}

static int text_config(struct text *t, const struct route *route, struct err *e)
{
	static const struct dname root = { .len = 1 };
	int rc = 0;

	text_server(t, route);
	if (!is_recursive(route))
		rc = text_forward(t, &root, route->upstreams, route->n_upstreams, e);
	for (uint32_t i = 0; rc == 0 && i < route->n_splits; i++)
		rc = text_forward(t, &route->splits[i].suffix, route->splits[i].upstreams, route->splits[i].n_upstreams,
				  e);
	if (rc == 0 && t->err != 0)
		rc = err_set(e, t->err, "resolver configuration over %u bytes", CONFIG_TEXT_MAX);
	return rc;
}

int recursor_config_write(const struct route *route, struct dot *dot, char **ret, struct err *e)
{
	struct text t = { .cap = CONFIG_TEXT_MAX, .dot = dot };
	char *fit;
	int rc;

	t.buf = malloc(t.cap);
	if (t.buf == NULL)
		return err_set(e, -ENOMEM, "resolver configuration");
	rc = text_config(&t, route, e);
	if (rc != 0) {
		free(t.buf);
		return rc;
	}
	fit = realloc(t.buf, t.len + 1);
	*ret = fit != NULL ? fit : t.buf;
	return 0;
}

int recursor_name(const struct dname *name, char *ret, size_t size)
{
	struct text t = { .buf = ret, .cap = size };

	text_name(&t, name);
	return t.err;
}
