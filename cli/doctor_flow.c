/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source: libnetfilter_conntrack, utils/conntrack_create.c; linux net/netfilter/nf_conntrack_netlink.c. */
#include "cli/doctor_flow.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>

#define FLOW_TIMEOUT_S 5 /* should it not be removed */

static void tuple_set(struct nf_conntrack *ct, const struct probe_packet *p)
{
	bool v4 = p->src.family == IP_V4;

	nfct_set_attr_u8(ct, ATTR_L3PROTO, v4 ? AF_INET : AF_INET6);
	nfct_set_attr(ct, v4 ? ATTR_IPV4_SRC : ATTR_IPV6_SRC, p->src.bytes);
	nfct_set_attr(ct, v4 ? ATTR_IPV4_DST : ATTR_IPV6_DST, p->dst.bytes);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, p->proto);
	nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons(p->sport));
	nfct_set_attr_u16(ct, ATTR_PORT_DST, htons(p->dport));
}

static int query(enum nf_conntrack_query what, const struct nf_conntrack *ct)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	int r = h == NULL || nfct_query(h, what, ct) == -1 ? -errno : 0;

	if (h != NULL)
		(void)nfct_close(h);
	return r;
}

int flow_enter(const struct probe_packet *out, struct err *e)
{
	struct nf_conntrack *ct = nfct_new();
	int r;

	if (ct == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	tuple_set(ct, out);
	nfct_setobjopt(ct, NFCT_SOPT_SETUP_REPLY);
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, FLOW_TIMEOUT_S);
	nfct_set_attr_u32(ct, ATTR_STATUS, IPS_SEEN_REPLY | IPS_CONFIRMED);
	if (out->proto == IPPROTO_TCP) {
		nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
		/* No packet was seen: its numbers are not to be judged. */
		nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_ORIG, IP_CT_TCP_FLAG_BE_LIBERAL);
		nfct_set_attr_u8(ct, ATTR_TCP_MASK_ORIG, IP_CT_TCP_FLAG_BE_LIBERAL);
		nfct_set_attr_u8(ct, ATTR_TCP_FLAGS_REPL, IP_CT_TCP_FLAG_BE_LIBERAL);
		nfct_set_attr_u8(ct, ATTR_TCP_MASK_REPL, IP_CT_TCP_FLAG_BE_LIBERAL);
	}
	r = query(NFCT_Q_CREATE, ct);
	nfct_destroy(ct);
	return r < 0 ? err_set(e, r, "enter a connection into conntrack: %s", strerror(-r)) : 0;
}

void flow_remove(const struct probe_packet *out)
{
	struct nf_conntrack *ct = nfct_new();

	if (ct == NULL)
		return;
	tuple_set(ct, out);
	(void)query(NFCT_Q_DESTROY, ct);
	nfct_destroy(ct);
}
