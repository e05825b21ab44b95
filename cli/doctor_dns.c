/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does anybody answer? One question to each upstream, by UDP or, for tls://, over TLS; and one to dnsd. */
#include "cli/doctor.h"

#include "base/sockaddr.h"
#include "cli/doctor_judge.h"
#include "cli/doctor_tls.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define ANSWER_WAIT_MS 2000
#define UPSTREAMS_MAX  16 /* asked one behind the other, each may take its time */
#define DNS_HEADER     12
#define TYPE_SOA       6
#define TYPE_NS	       2
#define RCODE_REFUSED  5

static size_t question_build(const struct dname *name, uint16_t type, uint16_t id, uint8_t *buf)
{
	uint8_t *at = buf + DNS_HEADER;

	memset(buf, 0, DNS_HEADER);
	buf[0] = (uint8_t)(id >> 8);
	buf[1] = (uint8_t)id;
	buf[2] = 1; /* recursion desired */
	buf[5] = 1; /* one question */
	memcpy(at, name->wire, name->len);
	at += name->len;
	*at++ = 0;
	*at++ = (uint8_t)type;
	*at++ = 0;
	*at++ = 1; /* class IN */
	return (size_t)(at - buf);
}

static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = poll(&p, 1, ANSWER_WAIT_MS);

	return r > 0 ? 0 : r == 0 ? -ETIMEDOUT : -errno;
}

/* The answer's code, 0-15, or negative errno. */
static int dns_ask(const struct ip_addr *server, uint16_t port, const struct dname *name, uint16_t type)
{
	CLEANUP(fd_closep) int fd = -1;
	uint8_t question[DNS_HEADER + DNAME_MAX + 4], answer[4096];
	union socket_address to;
	socklen_t to_len = socket_address_of(server, port, &to);
	uint16_t id;
	size_t len;
	int r;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	len = question_build(name, type, id, question);
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, &to.any, to_len) == -1 || send(fd, question, len, 0) == -1)
		return -errno;
	for (;;) {
		ssize_t n;

		r = wait_for(fd, POLLIN);
		if (r < 0)
			return r;
		n = recv(fd, answer, sizeof(answer), 0);
		if (n == -1)
			return -errno;
		/* Whatever else comes is not the answer. */
		if (n >= DNS_HEADER && answer[0] == question[0] && answer[1] == question[1] && (answer[2] & 0x80) != 0)
			return answer[3] & 0x0f;
	}
}

/* A connected, blocking socket, or negative errno. */
static int tcp_connect(const struct ip_addr *server, uint16_t port)
{
	CLEANUP(fd_closep) int fd = -1;
	union socket_address to;
	socklen_t to_len = socket_address_of(server, port, &to), len = sizeof(int);
	int r = 0, failed = 0;

	fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	if (connect(fd, &to.any, to_len) == -1) {
		if (errno != EINPROGRESS)
			return -errno;
		r = wait_for(fd, POLLOUT);
	}
	if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) == -1)
		r = -errno;
	if (r == 0 && failed == 0 && fcntl(fd, F_SETFL, 0) == -1)
		r = -errno;
	if (r == 0 && failed != 0)
		r = -failed;
	return r < 0 ? r : fd_take(&fd);
}

/* As dns_ask(), with the reason in @e. */
static int upstream_ask(const struct plan_upstream *u, const struct dname *name, struct err *e)
{
	uint16_t type = name->labels > 0 ? TYPE_SOA : TYPE_NS;
	uint8_t question[DNS_HEADER + DNAME_MAX + 4];
	CLEANUP(fd_closep) int fd = -1;
	uint16_t id;
	int r;

	if (u->kind != UPSTREAM_TLS) {
		r = dns_ask(&u->addr, u->port, name, type);
		return r < 0 ? err_set(e, r, "%s", strerror(-r)) : r;
	}
	fd = tcp_connect(&u->addr, u->port);
	if (fd < 0)
		return err_set(e, fd, "%s", strerror(-fd));
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_set(e, -EIO, "no random bytes");
	return tls_ask(fd, u->tls_name, question, question_build(name, type, id, question), ANSWER_WAIT_MS, e);
}

static void upstream_one(struct doctor *d, const struct plan_upstream *asked, const struct dname *name)
{
	struct plan_upstream u = *asked;
	char text[IP_TEXT_MAX], zone[DNAME_TEXT_MAX];
	const char *what = u.kind == UPSTREAM_RECURSIVE ? "a root server, " : u.kind == UPSTREAM_TLS ? "tls://" : "";
	struct err e = { 0 };
	struct check *c;
	int r;

	if (u.kind == UPSTREAM_RECURSIVE) {
		u.addr = doctor_internet(IP_V4);
		u.port = 53;
	}
	(void)ip_addr_print(&u.addr, text);
	(void)dname_print(name, zone);
	r = upstream_ask(&u, name, &e);
	if (r < 0) {
		c = report_add(&d->report, "upstream", CHECK_FAIL, "%s%s port %u, asked for %.200s: %s", what, text,
			       u.port, zone, e.msg);
		if (r == -EACCES)
			check_fix(c, "the name behind # in \"upstreams\", the clock, and the package ca-certificates");
		else
			check_fix(c, "ip route get %s; does a firewall here or on the way close port %u to this host?",
				  text, u.port);
		return;
	}
	if (r == RCODE_REFUSED)
		check_fix(report_add(&d->report, "upstream", CHECK_FAIL,
				     "%s%s refuses to answer this host (for %.200s)", what, text, zone),
			  "use another in \"upstreams\" or \"split\" of the policy");
	else
		report_add(&d->report, "upstream", CHECK_OK, "%s%s answers for %.200s", what, text, zone);
}

/* Routes have most of their upstreams in common: each is asked once for a name. */
struct asked {
	const struct plan_upstream *upstreams[UPSTREAMS_MAX];
	const struct dname *names[UPSTREAMS_MAX];
	uint32_t n;
};

static void upstreams_once(struct doctor *d, const struct plan_upstream *u, uint32_t n, const struct dname *name,
			   struct asked *asked)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = 0;

		while (k < asked->n && !(dname_equal(asked->names[k], name) && asked->upstreams[k]->kind == u[i].kind &&
					 asked->upstreams[k]->port == u[i].port &&
					 ip_addr_cmp(&asked->upstreams[k]->addr, &u[i].addr) == 0))
			k++;
		if (k < asked->n || asked->n == UPSTREAMS_MAX)
			continue;
		asked->upstreams[asked->n] = &u[i];
		asked->names[asked->n++] = name;
		upstream_one(d, &u[i], name);
	}
}

static void route_upstreams(struct doctor *d, const struct plan_route *route, struct asked *asked)
{
	static const struct plan_upstream recursive = { .kind = UPSTREAM_RECURSIVE };
	static const struct dname root = { .len = 1 };

	if (route->n_upstreams > 0)
		upstreams_once(d, route->upstreams, route->n_upstreams, &root, asked);
	else if (d->gateway.doc->n_upstreams > 0)
		upstreams_once(d, d->gateway.doc->upstreams, d->gateway.doc->n_upstreams, &root, asked);
	else
		upstreams_once(d, &recursive, 1, &root, asked);
	for (uint32_t i = 0; i < route->n_splits; i++)
		upstreams_once(d, route->splits[i].upstreams, route->splits[i].n_upstreams, &route->splits[i].suffix,
			       asked);
}

void check_upstreams(struct doctor *d)
{
	struct asked asked = { 0 };

	if (!d->has_policy) {
		report_add(&d->report, "upstream", CHECK_SKIP, "needs the policy");
		return;
	}
	for (uint32_t i = 0; i < d->docs.policy->n_routes; i++)
		route_upstreams(d, &d->docs.policy->routes[i], &asked);
}

/* The gateway itself is no device, and is refused: but by dnsd, which is what is asked here. */
void check_dns(struct doctor *d)
{
	const struct doc_tunnel *t = &d->gateway.doc->tunnel;
	uint16_t port = d->gateway.doc->dns_port;
	struct dname root;

	(void)dname_parse(".", 1, &root);
	for (uint32_t i = 0; i < t->n_addresses; i++) {
		char text[IP_TEXT_MAX];
		int r = dns_ask(&t->addresses[i].addr, port, &root, TYPE_NS);

		(void)ip_addr_print(&t->addresses[i].addr, text);
		if (r >= 0)
			report_add(&d->report, "dns", CHECK_OK, "dnsd answers at %s port %u", text, port);
		else
			check_fix(report_add(&d->report, "dns", CHECK_FAIL, "no answer from %s port %u: %s", text, port,
					     strerror(-r)),
				  "sluice status says whether dnsd runs; its log why not");
	}
}

#define ANCHOR_STALE_S (60 * 24 * 3600) /* two hold-downs of RFC 5011: a roll-over may have been missed */

static double anchor_number(const cJSON *anchor, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(anchor, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

/* A trust anchor that is there and fresh, as dnsd has told the gateway. */
void check_anchor(struct doctor *d)
{
	const cJSON *anchor = cJSON_GetObjectItemCaseSensitive(d->status, "trust_anchor");
	const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(anchor, "state"));
	double last = anchor_number(anchor, "last_success");

	if (state == NULL) {
		report_add(&d->report, "anchor", CHECK_SKIP, "needs the running gateway");
		return;
	}
	if (strcmp(state, "unused") == 0)
		report_add(&d->report, "anchor", CHECK_OK, "no upstream is to be validated here");
	else if (strcmp(state, "missing") == 0)
		check_fix(report_add(&d->report, "anchor", CHECK_FAIL,
				     "no answer is validated: there is no trust anchor"),
			  "apt install dns-root-data, or dns.trustAnchor in gateway.hujson; then restart the gateway");
	else if (strcmp(state, "fixed") == 0)
		check_fix(report_add(&d->report, "anchor", CHECK_WARN, "the trust anchor is not kept up to date"),
			  "dnsd.anchor_unkept in the gateway's log says why");
	else if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(anchor, "failed")))
		check_fix(report_add(&d->report, "anchor", CHECK_WARN, "the root's keys could not be looked at"),
			  "dnsd.anchor_look_failed in the gateway's log says why");
	else if (last != 0 && (double)time(NULL) - last > ANCHOR_STALE_S)
		check_fix(report_add(&d->report, "anchor", CHECK_WARN, "the root's keys were last seen %.0f days ago",
				     ((double)time(NULL) - last) / 86400),
			  "the clock; the way to the root servers (check upstream)");
	else
		report_add(&d->report, "anchor", CHECK_OK, "%.0f keys of the root trusted, %.0f watched",
			   anchor_number(anchor, "trusted"), anchor_number(anchor, "pending"));
}

static void certificate_one(struct doctor *d, const cJSON *tls)
{
	const char *file = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tls, "certificate"));
	const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tls, "error"));
	const cJSON *expires = cJSON_GetObjectItemCaseSensitive(tls, "expires_s");
	int64_t expires_s = cJSON_IsNumber(expires) ? (int64_t)expires->valuedouble : 0, now_s = time(NULL);
	bool in_force = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(tls, "in_force"));
	enum check_level level = certificate_level(in_force, expires_s, now_s);
	long long days = (long long)(expires_s - now_s) / 86400;
	struct check *c;

	if (file == NULL)
		return;
	if (error != NULL)
		c = report_add(&d->report, "certificate", level == CHECK_FAIL ? CHECK_FAIL : CHECK_WARN, "%s%s", error,
			       in_force ? "; the one before is served" : "; DNS over TLS is not served");
	else
		c = report_add(&d->report, "certificate", level,
			       expires_s > now_s ? "%s of DNS over TLS is valid for %lld days"
						 : "%s of DNS over TLS has expired (%lld days)",
			       file, days);
	if (level != CHECK_OK || error != NULL)
		check_fix(c, "renew %s and its key; the gateway reads them when they have changed", file);
}

/* What the gateway serves, not what lies in the files: a broken renewal leaves the old certificate in force. */
void check_certificates(struct doctor *d)
{
	const cJSON *tls;

	cJSON_ArrayForEach(tls, cJSON_GetObjectItemCaseSensitive(d->status, "tls")) certificate_one(d, tls);
}
