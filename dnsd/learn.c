/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one owner of the order "answer ready, LEARN_ADD, kernel's ACK, LEARN_ACK, answer sent". Called by query.c with
 * answers, by worker.c with events; calls back into query.c, which sends.
 *
 * Held answers are in one list in the order of their deadlines, which is the order of their arrival, since every answer
 * waits equally long: the head is the next to expire, and ACKs, which come in order too, are found at the head. An ACK
 * for an answer that has expired finds nothing and is ignored. The clock is the caller's. */
#include "dnsd/learn.h"

#include "base/ipc.h"

#define ACKS_PER_READ 256u /* then other events get their turn */

struct out_msg {
	struct out_msg *next;
	struct learn_held *held; /* waits for it; NULL when it does not any more */
	enum msg_type type;
	size_t len;
	uint8_t body[];
};

struct learn {
	int fd;
	learn_done_fn *done;
	void *arg;
	uint64_t next_id;
	struct learn_held *first, *last;
	struct out_msg *out_first, *out_last;
	uint32_t n_out;
	struct ipc_msg in;
};

/* The longest bodies: a fixed part, then what the table allows behind it. */
#define ADD_BODY_MAX  (sizeof(struct msg_learn_add) + LEARN_RULES_MAX * 4 + LEARN_ADDRS_MAX * sizeof(struct ip_addr))
#define SEEN_BODY_MAX (sizeof(struct msg_name_seen) + MSG_NAME_TEXT_MAX + LEARN_ADDRS_MAX * sizeof(struct ip_addr))

struct learn *learn_new(int fd, learn_done_fn *done, void *arg)
{
	struct learn *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->fd = fd;
	l->done = done;
	l->arg = arg;
	l->next_id = 1;
	return l;
}

struct learn *learn_free(struct learn *l)
{
	if (l == NULL)
		return NULL;
	for (struct out_msg *m = l->out_first, *next; m != NULL; m = next) {
		next = m->next;
		free(m);
	}
	fd_closep(&l->fd);
	free(l);
	return NULL;
}

static void held_link(struct learn *l, struct learn_held *h)
{
	h->held = true;
	h->next = NULL;
	h->prev = l->last;
	if (l->last != NULL)
		l->last->next = h;
	else
		l->first = h;
	l->last = h;
}

static void held_unlink(struct learn *l, struct learn_held *h)
{
	if (h->prev != NULL)
		h->prev->next = h->next;
	else
		l->first = h->next;
	if (h->next != NULL)
		h->next->prev = h->prev;
	else
		l->last = h->prev;
	h->held = false;
	if (h->unsent == 0)
		return;
	for (struct out_msg *m = l->out_first; m != NULL; m = m->next)
		if (m->held == h)
			m->held = NULL;
}

static void held_done(struct learn *l, struct learn_held *h, int status)
{
	held_unlink(l, h);
	l->done(h, status, l->arg);
}

/* Send now, or queue behind what waits already: the order is kept. Returns 0 sent, 1 queued, negative errno. */
static int msg_put(struct learn *l, struct learn_held *h, enum msg_type type, const void *body, size_t len)
{
	struct out_msg *m;
	int rc;

	if (l->out_first == NULL) {
		rc = ipc_send(l->fd, type, body, len, NULL, 0, NULL);
		if (rc != -EAGAIN)
			return rc;
	}
	m = malloc(sizeof(*m) + len);
	if (m == NULL)
		return -ENOMEM;
	m->next = NULL;
	m->held = h;
	m->type = type;
	m->len = len;
	memcpy(m->body, body, len);
	if (l->out_last != NULL)
		l->out_last->next = m;
	else
		l->out_first = m;
	l->out_last = m;
	l->n_out++;
	h->unsent++;
	return 1;
}

static int put_seen(struct learn *l, struct learn_held *h, const struct learn_what *w)
{
	uint8_t body[SEEN_BODY_MAX];
	size_t name_len = strnlen(w->seen_name, MSG_NAME_TEXT_MAX), addrs_len = w->n_addrs * sizeof(struct ip_addr);
	struct msg_name_seen head;

	memset(&head, 0, sizeof(head));
	head.at_us = w->seen_at_us;
	head.ttl_s = w->ttl_s;
	head.name_len = (uint16_t)name_len;
	head.n_addrs = (uint16_t)w->n_addrs;
	head.client = *w->client;
	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), w->seen_name, name_len);
	memcpy(body + sizeof(head) + name_len, w->addrs, addrs_len);
	return msg_put(l, h, MSG_NAME_SEEN, body, sizeof(head) + name_len + addrs_len);
}

static int put_add(struct learn *l, struct learn_held *h, const struct learn_what *w, uint32_t from, uint32_t n)
{
	uint8_t body[ADD_BODY_MAX];
	size_t rules_len = n * sizeof(uint32_t), addrs_len = w->n_addrs * sizeof(struct ip_addr);
	struct msg_learn_add head;

	memset(&head, 0, sizeof(head));
	head.req_id = h->req_id + h->n_ids;
	head.generation = w->generation;
	head.ttl_s = w->ttl_s;
	head.n_rules = (uint16_t)n;
	head.n_addrs = (uint16_t)w->n_addrs;
	head.client = *w->client;
	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), w->rules + from, rules_len);
	memcpy(body + sizeof(head) + rules_len, w->addrs, addrs_len);
	h->acks |= 1u << h->n_ids;
	h->n_ids++;
	return msg_put(l, h, MSG_LEARN_ADD, body, sizeof(head) + rules_len + addrs_len);
}

int learn_add(struct learn *l, struct learn_held *h, const struct learn_what *w, uint64_t now_us)
{
	int rc = 0;

	if (w->n_addrs == 0 || w->n_addrs > LEARN_ADDRS_MAX || w->n_rules > LEARN_RULES_ALL_MAX)
		return -EINVAL;
	memset(h, 0, sizeof(*h));
	h->req_id = l->next_id;
	h->generation = w->generation;
	h->deadline_us = now_us + LEARN_DEADLINE_US;
	held_link(l, h);
	if (w->seen_name != NULL)
		rc = put_seen(l, h, w);
	for (uint32_t i = 0; rc >= 0 && i < w->n_rules; i += LEARN_RULES_MAX)
		rc = put_add(l, h, w, i, w->n_rules - i < LEARN_RULES_MAX ? w->n_rules - i : LEARN_RULES_MAX);
	l->next_id += h->n_ids;
	if (rc < 0 || (h->acks == 0 && h->unsent == 0)) {
		held_unlink(l, h);
		return rc < 0 ? rc : 0;
	}
	return 1;
}

static void ack_take(struct learn *l, const struct msg_learn_ack *ack)
{
	for (struct learn_held *h = l->first; h != NULL && h->req_id <= ack->req_id; h = h->next) {
		uint64_t n = ack->req_id - h->req_id;

		if (n >= h->n_ids)
			continue;
		if ((h->acks & 1u << n) == 0)
			return; /* twice the same: the first one counts */
		h->acks &= ~(1u << n);
		if (ack->status != 0)
			held_done(l, h, ack->status < 0 ? ack->status : -EIO);
		else if (h->acks == 0 && h->unsent == 0)
			held_done(l, h, 0);
		return;
	}
}

int learn_read(struct learn *l, struct err *e)
{
	for (uint32_t i = 0; i < ACKS_PER_READ; i++) {
		struct msg_learn_ack ack;
		int rc = ipc_recv(l->fd, ROLE_DNSD, ROLE_GATEWAYD, &l->in, e);

		if (rc == -EAGAIN)
			return 0;
		if (rc != 0)
			return rc;
		if (l->in.type != MSG_LEARN_ACK) {
			ipc_msg_done(&l->in);
			return err_set(e, -EBADMSG, "learn channel: %s", msg_name(l->in.type));
		}
		memcpy(&ack, l->in.body, sizeof(ack));
		ipc_msg_done(&l->in);
		ack_take(l, &ack);
	}
	return 0;
}

int learn_flush(struct learn *l, struct err *e)
{
	struct out_msg *m;

	while ((m = l->out_first) != NULL) {
		struct learn_held *h = m->held;
		int rc = ipc_send(l->fd, m->type, m->body, m->len, NULL, 0, e);

		if (rc == -EAGAIN)
			return 0;
		if (rc != 0)
			return rc;
		l->out_first = m->next;
		if (l->out_first == NULL)
			l->out_last = NULL;
		l->n_out--;
		free(m);
		if (h == NULL)
			continue;
		h->unsent--;
		if (h->unsent == 0 && h->acks == 0)
			held_done(l, h, 0);
	}
	return 0;
}

void learn_expire(struct learn *l, uint64_t now_us)
{
	while (l->first != NULL && l->first->deadline_us <= now_us)
		held_done(l, l->first, -ETIMEDOUT);
}

uint64_t learn_deadline_us(const struct learn *l)
{
	return l->first != NULL ? l->first->deadline_us : UINT64_MAX;
}

uint32_t learn_waiting(const struct learn *l)
{
	return l->n_out;
}

uint64_t learn_generation(const struct learn *l)
{
	return l->first != NULL ? l->first->generation : UINT64_MAX;
}
