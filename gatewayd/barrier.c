/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invariant: every LEARN_ADD that was read is answered with one LEARN_ACK, unless its channel is gone; and none before
 * the kernel has said that it has the addresses. */
#include "gatewayd/barrier.h"

#include "base/cursor.h"
#include "base/log.h"

#include <event2/event.h>

struct barrier {
	struct event_base *base;
	struct barrier_ops ops;
	void *arg;
	uint32_t n;
	int fds[BARRIER_WORKERS_MAX];
	struct event *readable[BARRIER_WORKERS_MAX];
	uint32_t next; /* channel to begin with: none is always the last */
	struct ipc_msg msg;
	struct learn_slot slots[BARRIER_BATCH_MAX];
	struct learn_req reqs[BARRIER_BATCH_MAX];
};

static bool addr_valid(const struct ip_addr *a)
{
	return a->family == IP_V4 || a->family == IP_V6;
}

int barrier_parse(const void *body, size_t len, struct learn_slot *ret)
{
	struct rcur c = rcur_over(body, len);
	struct msg_learn_add head;

	rcur_copy(&c, &head, sizeof(head));
	if (c.err != 0 || head.n_rules > LEARN_RULES_MAX || head.n_addrs > LEARN_ADDRS_MAX || !addr_valid(&head.client))
		return -EBADMSG;
	rcur_copy(&c, ret->rules, head.n_rules * sizeof(ret->rules[0]));
	rcur_copy(&c, ret->addrs, head.n_addrs * sizeof(ret->addrs[0]));
	if (rcur_end(&c) < 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < head.n_rules; i++)
		if ((ret->rules[i] & ~CT_MARK_MASK) != 0)
			return -EBADMSG;
	for (uint32_t i = 0; i < head.n_addrs; i++)
		if (!addr_valid(&ret->addrs[i]))
			return -EBADMSG;
	ret->req_id = head.req_id;
	ret->req = (struct learn_req){
		.client = head.client,
		.generation = head.generation,
		.ttl_s = head.ttl_s,
		.rules = ret->rules,
		.n_rules = head.n_rules,
		.addrs = ret->addrs,
		.n_addrs = head.n_addrs,
		.status = -EIO,
	};
	return 0;
}

int barrier_seen_check(const void *body, size_t len)
{
	struct rcur c = rcur_over(body, len);
	struct msg_name_seen head;
	const uint8_t *name;

	rcur_copy(&c, &head, sizeof(head));
	if (c.err != 0 || head.name_len == 0 || head.name_len > MSG_NAME_TEXT_MAX || head.n_addrs > LEARN_ADDRS_MAX ||
	    !addr_valid(&head.client))
		return -EBADMSG;
	name = rcur_bytes(&c, head.name_len);
	if (c.err != 0 || memchr(name, '\0', head.name_len) != NULL)
		return -EBADMSG;
	for (uint32_t i = 0; i < head.n_addrs; i++) {
		struct ip_addr addr;

		rcur_copy(&c, &addr, sizeof(addr));
		if (c.err != 0 || !addr_valid(&addr))
			return -EBADMSG;
	}
	return rcur_end(&c) < 0 ? -EBADMSG : 0;
}

/* One message into slot @n, or handed on. 1: the slot is used; 0: not; -EAGAIN: the channel is empty. */
static int take_one(struct barrier *b, uint32_t channel, uint32_t n, struct err *e)
{
	int r = ipc_recv(b->fds[channel], ROLE_GATEWAYD, ROLE_DNSD, &b->msg, e);

	if (r < 0)
		return r;
	if (b->msg.type == MSG_NAME_SEEN && barrier_seen_check(b->msg.body, b->msg.len) == 0) {
		b->ops.seen(b->arg, b->msg.body, b->msg.len);
		return 0;
	}
	if (b->msg.type != MSG_LEARN_ADD || barrier_parse(b->msg.body, b->msg.len, &b->slots[n]) < 0) {
		ipc_msg_done(&b->msg);
		return err_set(e, -EBADMSG, "malformed %s on a learn channel", msg_name(b->msg.type));
	}
	b->slots[n].channel = channel;
	return 1;
}

static int drain(struct barrier *b, uint32_t *ret_n, struct err *e)
{
	uint32_t n = 0, taken = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t channel = (b->next + i) % b->n;
		int r = 0;

		while (r >= 0 && n < BARRIER_BATCH_MAX && taken < 4 * BARRIER_BATCH_MAX) {
			r = take_one(b, channel, n, e);
			n += r == 1;
			taken++;
		}
		if (r < 0 && r != -EAGAIN) {
			*ret_n = n;
			return r;
		}
	}
	b->next = b->n != 0 ? (b->next + 1) % b->n : 0;
	*ret_n = n;
	return 0;
}

static void answer(struct barrier *b, uint32_t n)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct msg_learn_ack ack = { .req_id = b->slots[i].req_id, .status = b->reqs[i].status };

		if (ipc_send(b->fds[b->slots[i].channel], MSG_LEARN_ACK, &ack, sizeof(ack), NULL, 0, NULL) < 0)
			lost++;
	}
	/* dnsd answers SERVFAIL when its deadline passes. */
	if (lost != 0)
		log_event(LOG_WARNING, "learn.ack.lost", "n=%u", lost);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct barrier *b = arg;
	struct err e = { 0 };
	uint32_t n = 0;
	int r = drain(b, &n, &e);

	for (uint32_t i = 0; i < n; i++)
		b->reqs[i] = b->slots[i].req;
	if (n != 0) {
		b->ops.learn(b->arg, b->reqs, n);
		answer(b, n);
	}
	if (r < 0)
		b->ops.broken(b->arg, e.msg);
}

int barrier_new(struct event_base *base, const struct barrier_ops *ops, void *arg, struct barrier **ret, struct err *e)
{
	struct barrier *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return err_set(e, -ENOMEM, "learn channels: out of memory");
	b->base = base;
	b->ops = *ops;
	b->arg = arg;
	*ret = b;
	return 0;
}

void barrier_close(struct barrier *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		if (b->readable[i] != NULL)
			event_free(b->readable[i]);
		b->readable[i] = NULL;
		fd_closep(&b->fds[i]);
	}
	b->n = 0;
	b->next = 0;
}

struct barrier *barrier_free(struct barrier *b)
{
	if (b != NULL)
		barrier_close(b);
	free(b);
	return NULL;
}

static int channel_open(struct barrier *b, int *ret_fd, struct err *e)
{
	uint32_t i = b->n;
	int pair[2];
	int r = ipc_pair(pair, e);

	if (r < 0)
		return r;
	b->readable[i] = event_new(b->base, pair[0], EV_READ | EV_PERSIST, on_readable, b);
	if (b->readable[i] == NULL || event_add(b->readable[i], NULL) < 0) {
		if (b->readable[i] != NULL)
			event_free(b->readable[i]);
		b->readable[i] = NULL;
		(void)close(pair[0]);
		(void)close(pair[1]);
		return err_set(e, -ENOMEM, "learn channels: out of memory");
	}
	b->fds[i] = pair[0];
	b->n++;
	*ret_fd = pair[1];
	return 0;
}

int barrier_open(struct barrier *b, uint32_t workers, int *ret_fds, struct err *e)
{
	int r = workers > BARRIER_WORKERS_MAX
			? err_set(e, -E2BIG, "%u workers, at most %u", workers, BARRIER_WORKERS_MAX)
			: 0;

	barrier_close(b);
	for (uint32_t i = 0; i < workers && r == 0; i++)
		r = channel_open(b, &ret_fds[i], e);
	if (r < 0) {
		for (uint32_t i = 0; i < b->n; i++)
			fd_closep(&ret_fds[i]);
		barrier_close(b);
	}
	return r;
}
