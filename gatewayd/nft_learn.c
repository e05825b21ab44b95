/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: LEARN_ADD -> learned_prepare() -> one batch, acknowledged -> learned_commit() -> statuses, which become
 * LEARN_ACKs. No dry run here: a batch of elements that the kernel refuses changes nothing anyway, and answers wait.
 *
 * Elements of a learned set hold no verdicts, so adding one costs the kernel no validation of the table. */
#include "gatewayd/nft_learn.h"

#include "gatewayd/nft_dump.h"
#include "gatewayd/nft_encode.h"
#include "policy/lower_nft.h"

/* Put these leases into the kernel and, when it has acknowledged them, into the table. Orders @ops by their sets. */
static int leases_write(struct nft_channel *ch, struct learned *l, struct lease_ops *ops, uint64_t now_us,
			struct err *e)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	int r;

	if (ops->n == 0)
		return 0;
	if (ch == NULL)
		return learned_commit(l, ops, e);
	r = nft_channel_batch(ch, 0, &b, e);
	if (r < 0)
		return r;
	lease_ops_by_set(ops);
	nft_put_leases(b, ops->ops, ops->n, now_us, nft_channel_features(ch)->elem_update);
	r = nft_batch_finish(b, e);
	if (r == 0)
		r = nft_channel_send(ch, b, /* dry= */ false, NULL, e);
	/* Without memory for the table the kernel knows more than we do: those leases are not renewed, and end. */
	if (r == 0)
		(void)learned_commit(l, ops, NULL);
	return r;
}

static int learn_some(struct nft_channel *ch, struct learned *l, const struct plan *p, struct learn_req *reqs,
		      uint32_t n_reqs, uint64_t now_us, struct err *e)
{
	CLEANUP(lease_ops_done) struct lease_ops ops = { 0 };
	int r = learned_prepare(l, p, reqs, n_reqs, now_us, &ops, e);

	if (r == 0)
		r = leases_write(ch, l, &ops, now_us, e);
	for (uint32_t i = 0; r < 0 && i < n_reqs; i++) {
		if (reqs[i].status == 0 || r == -ENOMEM)
			reqs[i].status = r == -ENOMEM ? -ENOMEM : -EIO;
	}
	return r;
}

int nft_learn(struct nft_channel *ch, struct learned *l, const struct plan *p, struct learn_req *reqs, uint32_t n_reqs,
	      uint64_t now_us, struct err *e)
{
	struct err why = { 0 };
	int last = learn_some(ch, l, p, reqs, n_reqs, now_us, &why);

	if (last == 0)
		return 0;
	/* One bad apple: the others get their leases. */
	if (n_reqs > 1)
		last = 0;
	for (uint32_t i = 0; n_reqs > 1 && i < n_reqs; i++) {
		int r = learn_some(ch, l, p, &reqs[i], 1, now_us, &why);

		last = r < 0 ? r : last;
	}
	return last < 0 ? err_set(e, last, "%s", why.msg) : 0;
}

/* Does the table of @p have this lease's set? Those that no class asks for are not made (policy/lower_nft.c). */
static bool set_exists(const struct plan *p, uint32_t mark)
{
	for (uint32_t c = 0; c < p->n_classes; c++) {
		const struct plan_class *class = &p->classes[c];

		if (mark == LEARN_SEEN && class->resolve_first && !class->quarantined)
			return true;
		for (uint32_t i = 0; mark != LEARN_SEEN && i < class->n_name_rules; i++) {
			if (p->rules[class->name_rules[i]].mark == mark)
				return true;
		}
	}
	return false;
}

int nft_learn_prune(struct nft_channel *ch, struct learned *l, const struct plan *p, const struct plan *old,
		    uint32_t *ret_dropped, struct err *e)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	CLEANUP(lease_ops_done) struct lease_ops ops = { 0 };
	uint32_t n = 0;
	int r = learned_prune(l, p, old, &ops, e);

	*ret_dropped = ops.n;
	/* Those whose set is gone went with it. */
	for (uint32_t i = 0; i < ops.n; i++) {
		if (set_exists(p, ops.ops[i].lease.mark))
			ops.ops[n++] = ops.ops[i];
	}
	ops.n = n;
	if (n == 0 || ch == NULL)
		return r;
	lease_ops_by_set(&ops);
	r = nft_channel_batch(ch, 0, &b, e);
	if (r < 0) {
		(void)learned_commit(l, &ops, NULL);
		return r;
	}
	nft_del_leases(b, ops.ops, ops.n);
	r = nft_batch_finish(b, e);
	if (r == 0)
		r = nft_channel_send(ch, b, /* dry= */ false, NULL, e);
	/* They are still open: the next call finds them again. */
	if (r < 0)
		(void)learned_commit(l, &ops, NULL);
	return r;
}

struct renewal {
	const struct learned *l;
	struct lease_ops *ops;
	uint64_t now_us;
	int err;
};

static enum ct_next renew_flow(void *arg, const struct ct_flow *flow)
{
	struct renewal *r = arg;

	if (!ct_flow_alive(flow))
		return CT_KEEP;
	r->err = learned_renew(r->l, &flow->src, &flow->dst, flow->mark & CT_MARK_MASK, r->now_us, r->ops, NULL);
	return r->err < 0 ? CT_STOP : CT_KEEP;
}

int nft_learn_renew(struct nft_channel *ch, struct conntrack *ct, struct learned *l, uint64_t now_us,
		    uint32_t *ret_renewed, struct err *e)
{
	CLEANUP(lease_ops_done) struct lease_ops ops = { 0 };
	struct renewal renewal = { .l = l, .ops = &ops, .now_us = now_us };
	int r;

	*ret_renewed = 0;
	if (learned_ending(l, now_us, LEASE_RENEW_BEFORE_S) == 0)
		return 0;
	r = conntrack_each(ct, renew_flow, &renewal, NULL, e);
	/* Whose flow was missed is renewed by the next call, which comes before its lease ends. */
	if (r == -EINTR)
		r = 0;
	if (r == 0 && renewal.err < 0)
		r = err_set(e, renewal.err, "renew leases: out of memory");
	if (r < 0)
		return r;
	lease_ops_unique(&ops);
	r = leases_write(ch, l, &ops, now_us, e);
	if (r == 0)
		*ret_renewed = ops.n;
	return r;
}

struct take_over {
	struct learned *into;
	const struct plan *plan;
	uint32_t mark;
	enum ip_family family;
	uint64_t now_us;
};

static int take_elem(void *arg, const uint8_t *key, size_t len, uint64_t left_ms)
{
	const struct take_over *t = arg;
	size_t half = t->family == IP_V4 ? 4 : 16;
	struct ip_addr client;
	struct lease lease = { .mark = t->mark };
	int r;

	if (len != 2 * half || left_ms == 0 || left_ms > (LEASE_TTL_MAX_S + LEASE_GRACE_S) * UINT64_C(1000))
		return 0;
	client = ip_addr_from_bytes(key, half);
	lease.addr = ip_addr_from_bytes(key + half, half);
	lease.expires_us = t->now_us + left_ms * 1000;
	if (!learned_backed(t->plan, &client, t->mark, &lease.addr))
		return 0;
	r = learned_put(t->into, &client, &lease, NULL);
	return r == -ENOSPC ? 0 : r;
}

static int take_set(struct nft_channel *ch, struct take_over *t, enum ip_family family, struct err *e)
{
	char name[NFT_NAME_MAX];
	struct err why = { 0 };
	int r;

	t->family = family;
	learned_set_name(t->mark, family, name);
	r = nft_dump_elems(ch, NFT_TABLE_NAME, name, take_elem, t, &why);
	return r < 0 && r != -ENOENT ? err_set(e, r, "%s", why.msg) : 0;
}

int nft_learn_dump(struct nft_channel *ch, const struct plan *p, uint64_t now_us, struct learned *into, struct err *e)
{
	struct take_over t = { .into = into, .plan = p, .mark = LEARN_SEEN, .now_us = now_us };
	int r = take_set(ch, &t, IP_V4, e);

	if (r == 0)
		r = take_set(ch, &t, IP_V6, e);
	for (uint32_t i = 0; i < p->n_rules && r == 0; i++) {
		t.mark = p->rules[i].mark;
		if (p->rules[i].n_names == 0 || p->rules[i].action != PLAN_ACCEPT)
			continue;
		r = take_set(ch, &t, IP_V4, e);
		if (r == 0)
			r = take_set(ch, &t, IP_V6, e);
	}
	return r;
}
