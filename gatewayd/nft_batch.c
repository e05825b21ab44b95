/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: the growing buffer behind nft_encode.c. One message is open at a time and has NFT_MSG_ROOM bytes, because
 * libnftnl and libmnl write attributes without asking how much room there is; what is put into one message is bounded
 * by its writers (names by NFT_NAME_MAX, elements by NFT_ELEMS_BYTES_MAX).
 *
 * The kernel sends errors for every message, acknowledgements only when asked. One is asked for, at the last message
 * before the end: messages are processed in order, so it stands for all, and a batch of any length is answered by a few
 * bytes. (The end message itself is acknowledged by newer kernels only.)
 *
 * Source: linux net/netfilter/nfnetlink.c, nfnetlink_rcv_batch(). */
#include "gatewayd/nft_batch.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define NFT_BATCH_START_BYTES (256u << 10)

struct message {
	enum nft_subject subject;
	char name[NFT_NAME_MAX];
	const char *pos;
	size_t at;	 /* offset in the buffer */
	uint32_t elem_0; /* its first element in batch.elem_pos */
};

struct nft_batch {
	uint8_t *buf;
	size_t len, room;
	struct message *messages; /* messages[0] is the batch's begin; sequence numbers count from there */
	uint32_t n_messages, room_messages;
	const char **elem_pos;
	uint32_t n_elem_pos, room_elem_pos;
	const char *table;
	struct nlmsghdr *open;
	size_t dry_len;
	uint32_t first_seq;
	int err;
};

/* Make room for one more in an array of @size bytes an element. */
static bool grow(void **array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t wanted = *room == 0 ? 64 : *room * 2;
	void *p;

	if (n < *room)
		return true;
	if (wanted <= n)
		return false;
	p = reallocarray(*array, wanted, size);
	if (p == NULL)
		return false;
	*array = p;
	*room = wanted;
	return true;
}

static bool batch_room(struct nft_batch *b)
{
	size_t wanted = b->room;
	uint8_t *p;

	while (wanted - b->len < NFT_MSG_ROOM)
		wanted *= 2;
	if (wanted == b->room)
		return true;
	if (wanted > NFT_BATCH_MAX_BYTES) {
		nft_batch_fail(b, -E2BIG);
		return false;
	}
	p = realloc(b->buf, wanted);
	if (p == NULL) {
		nft_batch_fail(b, -ENOMEM);
		return false;
	}
	/* Attributes are padded by leaving bytes out: those are zero, not what the heap held. */
	memset(p + b->room, 0, wanted - b->room);
	b->buf = p;
	b->room = wanted;
	return true;
}

static bool message_add(struct nft_batch *b, struct nft_about about)
{
	void *messages = b->messages;
	struct message *m;

	if (!grow(&messages, b->n_messages, &b->room_messages, sizeof(*b->messages))) {
		nft_batch_fail(b, -ENOMEM);
		return false;
	}
	b->messages = messages;
	m = &b->messages[b->n_messages++];
	*m = (struct message){ .subject = about.subject, .pos = about.pos, .at = b->len, .elem_0 = b->n_elem_pos };
	if (about.name != NULL)
		(void)snprintf(m->name, sizeof(m->name), "%s", about.name);
	return true;
}

int nft_batch_new(uint32_t first_seq, uint32_t genid, struct nft_batch **ret, struct err *e)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = calloc(1, sizeof(*b));
	struct nlmsghdr *nlh;

	if (b == NULL)
		return err_set(e, -ENOMEM, "nft batch");
	b->table = NFT_TABLE_NAME;
	b->first_seq = first_seq;
	b->room = NFT_BATCH_START_BYTES;
	b->buf = calloc(1, b->room);
	if (b->buf == NULL || !message_add(b, (struct nft_about){ .subject = NFT_ABOUT_BATCH }))
		return err_set(e, -ENOMEM, "nft batch");
	nlh = nftnl_batch_begin((char *)b->buf, first_seq);
	if (genid != 0)
		mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(genid));
	b->len = NLMSG_ALIGN(nlh->nlmsg_len);
	*ret = TAKE(b);
	return 0;
}

struct nft_batch *nft_batch_free(struct nft_batch *b)
{
	if (b != NULL) {
		free(b->buf);
		free(b->messages);
		free(b->elem_pos);
	}
	free(b);
	return NULL;
}

void nft_batch_freep(struct nft_batch **b)
{
	*b = nft_batch_free(*b);
}

void nft_batch_set_table(struct nft_batch *b, const char *table)
{
	b->table = table;
}

const char *nft_batch_table(const struct nft_batch *b)
{
	return b->table;
}

void nft_batch_fail(struct nft_batch *b, int code)
{
	if (b->err == 0)
		b->err = code;
}

struct nlmsghdr *nft_batch_open(struct nft_batch *b, uint16_t type, uint16_t flags, struct nft_about about)
{
	uint32_t seq = b->first_seq + b->n_messages;

	assert(b->open == NULL);
	if (b->err != 0 || !batch_room(b) || !message_add(b, about))
		return NULL;
	b->open = nftnl_nlmsg_build_hdr((char *)b->buf + b->len, type, NFPROTO_INET, flags, seq);
	return b->open;
}

void nft_batch_close(struct nft_batch *b)
{
	assert(b->open != NULL && b->open->nlmsg_len <= NFT_MSG_ROOM);
	b->len += NLMSG_ALIGN(b->open->nlmsg_len);
	b->open = NULL;
}

void nft_batch_elem(struct nft_batch *b, const char *pos)
{
	void *array = b->elem_pos;

	if (!grow(&array, b->n_elem_pos, &b->room_elem_pos, sizeof(*b->elem_pos))) {
		nft_batch_fail(b, -ENOMEM);
		return;
	}
	b->elem_pos = array;
	b->elem_pos[b->n_elem_pos++] = pos;
}

uint32_t nft_batch_count(const struct nft_batch *b)
{
	return b->n_messages - 1;
}

int nft_batch_finish(struct nft_batch *b, struct err *e)
{
	struct nlmsghdr *nlh;

	if (b->err == 0)
		(void)batch_room(b);
	if (b->err != 0)
		return err_set(e, b->err, "nft batch: %s", strerror(-b->err));
	if (b->n_messages > 1) {
		nlh = (struct nlmsghdr *)(void *)(b->buf + b->messages[b->n_messages - 1].at);
		nlh->nlmsg_flags |= NLM_F_ACK;
	}
	b->dry_len = b->len;
	nlh = nftnl_batch_end((char *)b->buf + b->len, b->first_seq + b->n_messages);
	b->len += NLMSG_ALIGN(nlh->nlmsg_len);
	return 0;
}

const void *nft_batch_bytes(const struct nft_batch *b, bool dry, size_t *ret_len)
{
	*ret_len = dry ? b->dry_len : b->len;
	return b->buf;
}

uint32_t nft_batch_first_seq(const struct nft_batch *b)
{
	return b->first_seq;
}

uint32_t nft_batch_last_seq(const struct nft_batch *b)
{
	return b->first_seq + b->n_messages - 1;
}

/* Position of the element of message @m whose attribute the kernel names by its offset in the message. */
static const char *elem_place(const struct nft_batch *b, const struct message *m, uint32_t attr_offs)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)(b->buf + m->at);
	const uint8_t *fault = b->buf + m->at + attr_offs;
	uint32_t end = m + 1 < b->messages + b->n_messages ? m[1].elem_0 : b->n_elem_pos;
	uint32_t i = m->elem_0;
	struct nlattr *list, *elem;

	mnl_attr_for_each(list, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, list)
		{
			if (i < end && fault >= (uint8_t *)elem && fault < (uint8_t *)elem + elem->nla_len)
				return b->elem_pos[i];
			i++;
		}
	}
	return NULL;
}

const char *nft_batch_place(const struct nft_batch *b, uint32_t seq, uint32_t attr_offs, char *buf, size_t len)
{
	static const char *const nouns[] = {
		[NFT_ABOUT_BATCH] = "batch", [NFT_ABOUT_TABLE] = "table",	 [NFT_ABOUT_SET] = "set",
		[NFT_ABOUT_CHAIN] = "chain", [NFT_ABOUT_RULE] = "rule in chain", [NFT_ABOUT_OBJECT] = "object",
	};
	uint32_t i = seq - b->first_seq;
	const struct message *m = i < b->n_messages ? &b->messages[i] : &b->messages[0];
	const char *pos = m->pos;

	static_assert(ARRAY_LEN(nouns) == NFT_ABOUT_MAX, "nouns");
	if (pos == NULL && m->subject == NFT_ABOUT_SET && attr_offs != 0)
		pos = elem_place(b, m, attr_offs);
	(void)snprintf(buf, len, "%s%s%s%s%s", pos != NULL ? pos : "", pos != NULL ? ": " : "", nouns[m->subject],
		       m->name[0] != '\0' ? " " : "", m->name);
	return buf;
}
