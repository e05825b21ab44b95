/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: leases in sorted arrays: clients by address, each with its leases by address and mark. At most
 * LEASES_PER_CLIENT_MAX of 32 bytes a client, so that a search is a dozen comparisons and an insertion moves 128 KiB at
 * worst; no hash, so nothing for a hostile choice of addresses to aim at.
 *
 * Called by nft_learn.c (prepare, batch, commit), by revoke.c and the control socket (find). Invariant: what is in the
 * table was acknowledged by the kernel; what has ended may still be here until the next learned_expire(). */
#include "gatewayd/learned.h"

#include "gatewayd/name_denies.h"

struct client {
	struct ip_addr addr;
	struct lease *leases; /* sorted by address, mark */
	uint32_t n, room;
};

struct learned {
	struct client *clients; /* sorted by address */
	uint32_t n, room;
	uint32_t n_leases;
};

int learned_new(struct learned **ret, struct err *e)
{
	struct learned *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_set(e, -ENOMEM, "lease table");
	*ret = l;
	return 0;
}

struct learned *learned_free(struct learned *l)
{
	for (uint32_t i = 0; l != NULL && i < l->n; i++)
		free(l->clients[i].leases);
	if (l != NULL)
		free(l->clients);
	free(l);
	return NULL;
}

void learned_freep(struct learned **l)
{
	*l = learned_free(*l);
}

void lease_ops_done(struct lease_ops *ops)
{
	free(ops->ops);
	*ops = (struct lease_ops){ 0 };
}

/* Room for one more of @size bytes. NULL: out of memory, the array is as it was. */
static void *array_grow(void *array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t wanted = *room == 0 ? 8 : *room * 2;
	void *p;

	if (n < *room)
		return array;
	p = wanted > n ? reallocarray(array, wanted, size) : NULL;
	if (p != NULL)
		*room = wanted;
	return p;
}

int lease_ops_add(struct lease_ops *ops, const struct ip_addr *client, const struct lease *lease)
{
	struct lease_op *p = array_grow(ops->ops, ops->n, &ops->room, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	ops->ops = p;
	ops->ops[ops->n++] = (struct lease_op){ .client = *client, .lease = *lease };
	return 0;
}

static int lease_cmp(const struct lease *a, const struct ip_addr *addr, uint32_t mark)
{
	int r = ip_addr_cmp(&a->addr, addr);

	return r != 0 ? r : (a->mark > mark) - (a->mark < mark);
}

static int op_cmp(const void *a, const void *b)
{
	const struct lease_op *x = a, *y = b;
	int r = ip_addr_cmp(&x->client, &y->client);

	if (r == 0)
		r = lease_cmp(&x->lease, &y->lease.addr, y->lease.mark);
	if (r == 0)
		r = (x->lease.expires_us < y->lease.expires_us) - (x->lease.expires_us > y->lease.expires_us);
	return r;
}

void lease_ops_unique(struct lease_ops *ops)
{
	uint32_t n = 0;

	if (ops->n < 2)
		return;
	qsort(ops->ops, ops->n, sizeof(*ops->ops), op_cmp);
	for (uint32_t i = 0; i < ops->n; i++) {
		const struct lease_op *op = &ops->ops[i], *last = n > 0 ? &ops->ops[n - 1] : NULL;

		if (last != NULL && ip_addr_cmp(&last->client, &op->client) == 0 &&
		    lease_cmp(&last->lease, &op->lease.addr, op->lease.mark) == 0)
			continue;
		ops->ops[n++] = *op;
	}
	ops->n = n;
}

/* Index of the client, or of where it would be. */
static uint32_t client_at(const struct learned *l, const struct ip_addr *addr)
{
	uint32_t lo = 0, hi = l->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ip_addr_cmp(&l->clients[mid].addr, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct client *client_find(const struct learned *l, const struct ip_addr *addr)
{
	uint32_t i = client_at(l, addr);

	return i < l->n && ip_addr_cmp(&l->clients[i].addr, addr) == 0 ? &l->clients[i] : NULL;
}

static struct client *client_make(struct learned *l, const struct ip_addr *addr)
{
	uint32_t i = client_at(l, addr);
	struct client *p;

	if (i < l->n && ip_addr_cmp(&l->clients[i].addr, addr) == 0)
		return &l->clients[i];
	p = array_grow(l->clients, l->n, &l->room, sizeof(*p));
	if (p == NULL)
		return NULL;
	l->clients = p;
	memmove(p + i + 1, p + i, (l->n - i) * sizeof(*p));
	p[i] = (struct client){ .addr = *addr };
	l->n++;
	return &p[i];
}

static uint32_t lease_at(const struct client *c, const struct ip_addr *addr, uint32_t mark)
{
	uint32_t lo = 0, hi = c->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (lease_cmp(&c->leases[mid], addr, mark) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct lease *lease_find(const struct client *c, const struct ip_addr *addr, uint32_t mark)
{
	uint32_t i = c != NULL ? lease_at(c, addr, mark) : 0;

	return c != NULL && i < c->n && lease_cmp(&c->leases[i], addr, mark) == 0 ? &c->leases[i] : NULL;
}

static int lease_store(struct learned *l, const struct ip_addr *client, const struct lease *lease)
{
	struct client *c = client_make(l, client);
	uint32_t i = c != NULL ? lease_at(c, &lease->addr, lease->mark) : 0;
	struct lease *p;

	if (c == NULL)
		return -ENOMEM;
	if (i < c->n && lease_cmp(&c->leases[i], &lease->addr, lease->mark) == 0) {
		c->leases[i].expires_us = lease->expires_us;
		return 0;
	}
	p = array_grow(c->leases, c->n, &c->room, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	c->leases = p;
	memmove(p + i + 1, p + i, (c->n - i) * sizeof(*p));
	p[i] = *lease;
	c->n++;
	l->n_leases++;
	return 0;
}

/* Leases that have not ended. Only counted out when it matters. */
static uint32_t client_live(const struct client *c, uint64_t now_us)
{
	uint32_t n = 0;

	for (uint32_t i = 0; c != NULL && i < c->n; i++)
		n += c->leases[i].expires_us > now_us;
	return n;
}

bool learned_backed(const struct plan *p, const struct ip_addr *client, uint32_t mark, const struct ip_addr *addr)
{
	const struct plan_addr *from = plan_addr_find(p, client), *to = addr != NULL ? plan_addr_find(p, addr) : NULL;
	const struct plan_class *class;

	if (from == NULL || p->classes[from->class_id].quarantined ||
	    (to != NULL && p->classes[to->class_id].quarantined))
		return false;
	class = &p->classes[from->class_id];
	if (mark == LEARN_SEEN)
		return class->resolve_first;
	for (uint32_t i = 0; i < class->n_name_rules; i++) {
		if (p->rules[class->name_rules[i]].mark == mark)
			return true;
	}
	return false;
}

static bool req_backed(const struct plan *p, const struct learn_req *req)
{
	for (uint32_t i = 0; i < req->n_rules; i++) {
		if (!learned_backed(p, &req->client, req->rules[i], NULL))
			return false;
	}
	return req->n_rules != 0;
}

static uint64_t wanted_us(uint32_t ttl_s, uint64_t now_us)
{
	uint64_t s = ttl_s < LEASE_TTL_MIN_S ? LEASE_TTL_MIN_S : ttl_s > LEASE_TTL_MAX_S ? LEASE_TTL_MAX_S : ttl_s;

	return now_us + (s + LEASE_GRACE_S) * 1000000u;
}

/* One request as it is worked on: its operations are those from .first on. */
struct prepare {
	const struct learned *l;
	const struct plan *plan;
	uint64_t now_us, expires_us;
	struct lease_ops *ops;
	uint32_t first;
};

/* How many operations for this client are new leases. Those of other requests of the same wake count, too, even when
 * they want the same: a client that close to its limit may wait for the next wake. */
static uint32_t pending_new(const struct prepare *w, const struct ip_addr *client)
{
	const struct client *c = client_find(w->l, client);
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->ops->n; i++) {
		const struct lease_op *op = &w->ops->ops[i];

		if (ip_addr_cmp(&op->client, client) == 0 && lease_find(c, &op->lease.addr, op->lease.mark) == NULL)
			n++;
	}
	return n;
}

static int prepare_lease(struct prepare *w, const struct ip_addr *client, const struct ip_addr *addr, uint32_t mark)
{
	const struct lease *have = lease_find(client_find(w->l, client), addr, mark);
	struct lease wanted = { .addr = *addr, .mark = mark, .expires_us = w->expires_us };

	if (!learned_backed(w->plan, client, mark, addr))
		return 0;
	if (have != NULL && have->expires_us + LEASE_SLACK_S * 1000000u >= w->expires_us)
		return 0;
	return lease_ops_add(w->ops, client, &wanted);
}

/* All of one request, for the addresses of its device: one that asks over IPv4 connects over IPv6, too. */
static int prepare_req(struct prepare *w, const struct plan_device *d, const struct learn_req *req)
{
	int r = 0;

	for (uint32_t i = 0; i < d->n_addrs; i++) {
		const struct client *c = client_find(w->l, &d->addrs[i]);

		for (uint32_t k = 0; k < req->n_addrs * req->n_rules && r == 0; k++) {
			const struct ip_addr *addr = &req->addrs[k / req->n_rules];

			if (addr->family == d->addrs[i].family)
				r = prepare_lease(w, &d->addrs[i], addr, req->rules[k % req->n_rules]);
		}
		/* Only a client with many leases is counted out. */
		if (r == 0 && (c != NULL ? c->n : 0) + w->ops->n > LEASES_PER_CLIENT_MAX && w->ops->n > w->first &&
		    client_live(c, w->now_us) + pending_new(w, &d->addrs[i]) > LEASES_PER_CLIENT_MAX)
			r = -ENOSPC;
	}
	return r;
}

int learned_prepare(const struct learned *l, const struct plan *p, struct learn_req *reqs, uint32_t n_reqs,
		    uint64_t now_us, struct lease_ops *ret, struct err *e)
{
	struct lease_ops ops = { 0 };
	struct prepare w = { .l = l, .plan = p, .now_us = now_us, .ops = &ops };

	for (uint32_t i = 0; i < n_reqs; i++) {
		w.expires_us = wanted_us(reqs[i].ttl_s, now_us);
		w.first = ops.n;
		reqs[i].status = req_backed(p, &reqs[i]) ? 0 : -ESTALE;
		/* The gateway's own programs: the kernel forwards nothing of theirs, so nothing is opened. */
		if (reqs[i].status == 0 && !ip_addr_is_loopback(&reqs[i].client))
			reqs[i].status = prepare_req(&w, plan_device_find(p, &reqs[i].client), &reqs[i]);
		if (reqs[i].status == -ENOMEM) {
			lease_ops_done(&ops);
			return err_set(e, -ENOMEM, "learn: out of memory");
		}
		if (reqs[i].status != 0)
			ops.n = w.first;
	}
	lease_ops_unique(&ops);
	*ret = ops;
	return 0;
}

int learned_commit(struct learned *l, const struct lease_ops *ops, struct err *e)
{
	for (uint32_t i = 0; i < ops->n; i++) {
		if (lease_store(l, &ops->ops[i].client, &ops->ops[i].lease) < 0)
			return err_set(e, -ENOMEM, "lease table: out of memory");
	}
	return 0;
}

int learned_put(struct learned *l, const struct ip_addr *client, const struct lease *lease, struct err *e)
{
	const struct client *c = client_find(l, client);

	if (c != NULL && c->n >= LEASES_PER_CLIENT_MAX && lease_find(c, &lease->addr, lease->mark) == NULL)
		return err_set(e, -ENOSPC, "client has %u leases", LEASES_PER_CLIENT_MAX);
	if (lease_store(l, client, lease) < 0)
		return err_set(e, -ENOMEM, "lease table: out of memory");
	return 0;
}

static bool taken_back(const struct plan *p, const struct plan *old, const struct ip_addr *client, uint32_t mark)
{
	const struct plan_rule *grant = old != NULL ? plan_rule_by_mark(p, mark) : NULL;

	return grant != NULL && name_denied_since(p, old, client, grant) != NULL;
}

/* Take leases out: those that end by @now_us when @p is NULL, those that @p does not back else. @ret (may be NULL):
 * told of them. */
static int client_sweep(struct learned *l, struct client *c, const struct plan *p, const struct plan *old,
			uint64_t now_us, struct lease_ops *ret)
{
	uint32_t n = 0;
	int r = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct lease *lease = &c->leases[i];
		bool gone = p != NULL ? !learned_backed(p, &c->addr, lease->mark, &lease->addr) ||
						taken_back(p, old, &c->addr, lease->mark)
				      : lease->expires_us <= now_us;

		if (gone && ret != NULL && r == 0)
			r = lease_ops_add(ret, &c->addr, lease);
		/* What could not be told of stays: it would be forgotten, but not closed. */
		if (!gone || r < 0)
			c->leases[n++] = *lease;
	}
	l->n_leases -= c->n - n;
	c->n = n;
	return r;
}

/* Clients without leases go, their memory too. */
static void clients_compact(struct learned *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		if (l->clients[i].n == 0)
			free(l->clients[i].leases);
		else
			l->clients[n++] = l->clients[i];
	}
	l->n = n;
}

uint32_t learned_expire(struct learned *l, uint64_t now_us)
{
	uint32_t before = l->n_leases;

	for (uint32_t i = 0; i < l->n; i++)
		(void)client_sweep(l, &l->clients[i], NULL, NULL, now_us, NULL);
	clients_compact(l);
	return before - l->n_leases;
}

int learned_prune(struct learned *l, const struct plan *p, const struct plan *old, struct lease_ops *ret, struct err *e)
{
	struct lease_ops ops = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < l->n && r == 0; i++)
		r = client_sweep(l, &l->clients[i], p, old, 0, &ops);
	clients_compact(l);
	*ret = ops;
	return r < 0 ? err_set(e, r, "prune leases: out of memory") : 0;
}

void learned_refuse_denied(const struct plan *p, const struct plan *old, uint64_t generation, struct learn_req *reqs,
			   uint32_t n_reqs)
{
	for (uint32_t i = 0; i < n_reqs; i++) {
		bool denied = false;

		for (uint32_t k = 0; reqs[i].generation < generation && k < reqs[i].n_rules && !denied; k++)
			denied = taken_back(p, old, &reqs[i].client, reqs[i].rules[k]);
		if (denied)
			reqs[i].n_rules = 0;
	}
}

static bool ending(const struct lease *lease, uint64_t now_us, uint32_t within_s)
{
	return lease->expires_us > now_us && lease->expires_us <= now_us + within_s * UINT64_C(1000000);
}

uint32_t learned_ending(const struct learned *l, uint64_t now_us, uint32_t within_s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		for (uint32_t k = 0; k < l->clients[i].n; k++)
			n += ending(&l->clients[i].leases[k], now_us, within_s);
	}
	return n;
}

int learned_renew(const struct learned *l, const struct ip_addr *client, const struct ip_addr *addr, uint32_t mark,
		  uint64_t now_us, struct lease_ops *ops, struct err *e)
{
	uint32_t n = 0;
	const struct lease *leases = learned_find(l, client, addr, &n);

	for (uint32_t i = 0; i < n; i++) {
		struct lease longer = leases[i];

		if ((longer.mark != mark && longer.mark != LEARN_SEEN) ||
		    !ending(&longer, now_us, LEASE_RENEW_BEFORE_S))
			continue;
		longer.expires_us = now_us + LEASE_RENEW_S * UINT64_C(1000000);
		if (lease_ops_add(ops, client, &longer) < 0)
			return err_set(e, -ENOMEM, "renew leases: out of memory");
	}
	return 0;
}

const struct lease *learned_find(const struct learned *l, const struct ip_addr *client, const struct ip_addr *addr,
				 uint32_t *ret_n)
{
	const struct client *c = client_find(l, client);
	uint32_t first = c != NULL ? lease_at(c, addr, 0) : 0, n = 0;

	while (c != NULL && first + n < c->n && ip_addr_cmp(&c->leases[first + n].addr, addr) == 0)
		n++;
	*ret_n = n;
	return n != 0 ? &c->leases[first] : NULL;
}

bool learned_has(const struct learned *l, const struct ip_addr *client, const struct ip_addr *addr, uint32_t mark,
		 uint64_t now_us)
{
	const struct lease *lease = lease_find(client_find(l, client), addr, mark);

	return lease != NULL && lease->expires_us > now_us;
}

int learned_each(const struct learned *l, int (*fn)(void *arg, const struct ip_addr *client, const struct lease *lease),
		 void *arg)
{
	for (uint32_t i = 0; i < l->n; i++) {
		for (uint32_t k = 0; k < l->clients[i].n; k++) {
			int r = fn(arg, &l->clients[i].addr, &l->clients[i].leases[k]);

			if (r != 0)
				return r;
		}
	}
	return 0;
}

uint32_t learned_count(const struct learned *l)
{
	return l->n_leases;
}
