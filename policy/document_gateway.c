/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gateway.hujson: this host. Everything but the tunnel's name and addresses has a default. */
#include "policy/document_egress.h"
#include "policy/document_listen.h"

#define TUNNEL_ADDRESSES_MAX   16      /* a host's own addresses on one interface */
#define REFRESH_MAX_S	       86400   /* a day: who wants less often says 0, and reloads */
#define DNS_WORKERS_MAX	       64      /* threads: more than the machines that this is for have cores */
#define ANCHOR_HOLD_DOWN_S     2592000 /* 30 days, RFC 5011 2.4.1 */
#define ANCHOR_HOLD_DOWN_MAX_S 31536000
#define INSECURE_MAX	       256u  /* they travel in one message */
#define DNS_CACHE_MIB_MAX      16384 /* of one worker */
#define MTU_MIN		       1280  /* IPv6's least, RFC 8200 5 */
#define MTU_MAX		       65535
#define RATE_LIMIT_MAX	       1000000 /* a second; more than a worker answers */

static void interface_check(struct doc_reader *r, const struct hj_node *tunnel, const char *name)
{
	const struct hj_node *node = hj_get(tunnel, "interface");

	if (name != NULL)
		doc_interface_check(r, node->span, name);
	else if (node == NULL)
		(void)doc_error(r, "P1201", tunnel->span, "tunnel has no \"interface\"");
}

/* "100.64.0.1/10": the address keeps its host bits; a bare address stands for itself alone. 0 or -EINVAL. */
static int interface_addr_parse(struct doc_reader *r, const char *text, struct ip_prefix *ret)
{
	const char *slash = strchr(text, '/');
	const char *addr = slash != NULL ? doc_strndup(r, text, (size_t)(slash - text)) : text;
	struct ip_prefix net;

	if (addr == NULL || ip_prefix_parse(text, &net, NULL) < 0 || ip_addr_parse(addr, &ret->addr) < 0)
		return -EINVAL;
	ret->len = net.len;
	return 0;
}

static void tunnel_addresses_read(struct doc_reader *r, const struct hj_node *tunnel, struct doc_tunnel *t)
{
	const struct hj_node *list = doc_list(r, tunnel, "addresses");
	struct ip_prefix *addrs;

	if (hj_get(tunnel, "addresses") == NULL || (list != NULL && list->n_children == 0))
		(void)doc_error(r, "P1201", tunnel->span, "tunnel has no address in \"addresses\"");
	if (list == NULL)
		return;
	if (list->n_children > TUNNEL_ADDRESSES_MAX) {
		(void)doc_error(r, "P1203", list->span, "more than %u addresses on the tunnel", TUNNEL_ADDRESSES_MAX);
		return;
	}
	addrs = doc_array(r, list->n_children, sizeof(*addrs));
	for (const struct hj_node *m = addrs != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "an address");

		if (text == NULL)
			continue;
		if (interface_addr_parse(r, text, &addrs[t->n_addresses]) < 0)
			(void)doc_error(r, "P1203", m->span,
					"%s is no address: write it with its network, as 100.64.0.1/10", text);
		else
			t->n_addresses++;
	}
	t->addresses = addrs;
}

static void tunnel_read(struct doc_reader *r, const struct hj_node *root, struct doc_tunnel *t)
{
	static const char *const members[] = { "interface", "existing", "listenPort", "privateKeyFile",
					       "addresses", "mtu",	NULL };
	const struct hj_node *tunnel = doc_map(r, root, "tunnel");

	if (tunnel == NULL) {
		if (hj_get(root, "tunnel") == NULL)
			(void)doc_error(r, "P1201", root->span, "the file has no \"tunnel\"");
		return;
	}
	if (!doc_members(r, tunnel, "tunnel", members))
		return;
	t->interface = doc_string(r, tunnel, "interface", NULL);
	interface_check(r, tunnel, t->interface);
	tunnel_addresses_read(r, tunnel, t);
	t->existing = doc_bool(r, tunnel, "existing", false);
	t->listen_port = (uint16_t)doc_uint(r, tunnel, "listenPort", t->existing ? 0 : 1, 65535, 51820);
	t->private_key_file = doc_string(r, tunnel, "privateKeyFile", "wg.key");
	t->mtu = doc_uint(r, tunnel, "mtu", MTU_MIN, MTU_MAX, 1420);
}

/* 200 names a second that nobody has asked for lately are no browser's; 20 refusals are enough to be understood. */
static void rate_limit_read(struct doc_reader *r, const struct hj_node *dns, struct doc_rate_limit *l)
{
	static const char *const members[] = { "queries", "misses", "errors", NULL };
	static const struct hj_node nothing = { .kind = HJ_OBJECT };
	const struct hj_node *node = doc_map(r, dns, "rateLimit");

	if (node != NULL)
		(void)doc_members(r, node, "rateLimit", members);
	else
		node = &nothing;
	l->queries = doc_uint(r, node, "queries", 0, RATE_LIMIT_MAX, 0);
	l->misses = doc_uint(r, node, "misses", 0, RATE_LIMIT_MAX, 200);
	l->errors = doc_uint(r, node, "errors", 0, RATE_LIMIT_MAX, 20);
}

static void dnssec_read(struct doc_reader *r, const struct hj_node *dns, struct doc_gateway *g)
{
	const struct hj_node *insecure = doc_list(r, dns, "insecure");
	struct dname name;

	g->root_hints = doc_string(r, dns, "rootHints", NULL);
	g->trust_anchor = doc_string(r, dns, "trustAnchor", NULL);
	g->anchor_hold_down_s = doc_uint(r, dns, "trustAnchorHoldDown", 1, ANCHOR_HOLD_DOWN_MAX_S, ANCHOR_HOLD_DOWN_S);
	g->dnssec = doc_bool(r, dns, "dnssec", false);
	g->insecure = doc_texts(r, insecure, "a name");
	for (const struct hj_node *m = insecure != NULL ? insecure->child : NULL; m != NULL; m = m->next)
		if (m->kind == HJ_STRING && dname_parse(m->string, strlen(m->string), &name) < 0)
			(void)doc_error(r, "P1214", m->span, "\"%s\" is no name", m->string);
	if (insecure != NULL && insecure->n_children > INSECURE_MAX)
		(void)doc_error(r, "P1214", insecure->span, "more than %u names", INSECURE_MAX);
}

static void dns_read(struct doc_reader *r, const struct hj_node *root, struct doc_gateway *g)
{
	static const char *const members[] = { "port",	   "workers",	"capture",     "upstreams",
					       "dnssec",   "rootHints", "trustAnchor", "trustAnchorHoldDown",
					       "insecure", "listen",	"rateLimit",   "dnstap",
					       "cacheMiB", NULL };
	static const struct hj_node nothing = { .kind = HJ_OBJECT };
	const struct hj_node *dns = doc_map(r, root, "dns");

	if (dns != NULL)
		(void)doc_members(r, dns, "dns", members);
	else
		dns = &nothing;
	g->dns_port = (uint16_t)doc_uint(r, dns, "port", 1, 65535, 53);
	g->dns_workers = doc_uint(r, dns, "workers", 1, DNS_WORKERS_MAX, 1);
	g->dns_cache_mib = doc_uint(r, dns, "cacheMiB", 1, DNS_CACHE_MIB_MAX, 16);
	g->dns_capture = doc_bool(r, dns, "capture", true);
	g->dnstap = doc_string(r, dns, "dnstap", NULL);
	g->upstreams = doc_upstreams(r, doc_list(r, dns, "upstreams"), &g->n_upstreams);
	listen_read(r, dns, g);
	rate_limit_read(r, dns, &g->rate_limit);
	dnssec_read(r, dns, g);
}

static const char *const mode_names[] = {
	[NETFILTER_ON] = "on", [NETFILTER_NODIVERT] = "nodivert", [NETFILTER_OFF] = "off"
};
static_assert(ARRAY_LEN(mode_names) == NETFILTER_MODE_MAX, "names");

const char *netfilter_mode_name(enum netfilter_mode mode)
{
	return mode_names[mode];
}

int netfilter_mode_parse(const char *name, enum netfilter_mode *ret)
{
	for (uint32_t i = 0; i < NETFILTER_MODE_MAX; i++) {
		if (strcmp(name, mode_names[i]) == 0) {
			*ret = (enum netfilter_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void netfilter_read(struct doc_reader *r, const struct hj_node *root, struct doc_gateway *g)
{
	static const char *const members[] = { "mode", "owner", "gate", NULL };
	const struct hj_node *netfilter = doc_map(r, root, "netfilter");
	const char *mode;

	g->own_table = g->gate = true;
	if (netfilter == NULL || !doc_members(r, netfilter, "netfilter", members))
		return;
	g->own_table = doc_bool(r, netfilter, "owner", true);
	g->gate = doc_bool(r, netfilter, "gate", true);
	mode = doc_string(r, netfilter, "mode", mode_names[NETFILTER_ON]);
	if (mode != NULL && netfilter_mode_parse(mode, &g->netfilter) < 0)
		(void)doc_error(r, "P1204", hj_get(netfilter, "mode")->span, "\"%s\" is no mode: on, nodivert or off",
				mode);
}

static void users_and_geo_read(struct doc_reader *r, const struct hj_node *root, struct doc_gateway *g)
{
	static const char *const user_members[] = { "dnsd", "recorder", NULL };
	static const char *const geo_members[] = { "country", "asn", NULL };
	static const char *const journal_members[] = { "sealTo", NULL };
	const struct hj_node *users = doc_map(r, root, "users"), *geo = doc_map(r, root, "geo");
	const struct hj_node *journal = doc_map(r, root, "journal");

	g->dnsd_user = "sluice-dnsd";
	g->recorder_user = "sluice-recorder";
	if (users != NULL && doc_members(r, users, "users", user_members)) {
		g->dnsd_user = doc_string(r, users, "dnsd", g->dnsd_user);
		g->recorder_user = doc_string(r, users, "recorder", g->recorder_user);
	}
	if (geo != NULL && doc_members(r, geo, "geo", geo_members)) {
		g->country_mmdb = doc_string(r, geo, "country", NULL);
		g->asn_mmdb = doc_string(r, geo, "asn", NULL);
	}
	if (journal != NULL && doc_members(r, journal, "journal", journal_members))
		g->seal_to = doc_string(r, journal, "sealTo", NULL);
}

struct doc_gateway *document_gateway(struct arena *mem, const struct source *src, struct diag_list *diags)
{
	static const char *const members[] = { "tunnel", "netfilter", "dns",	 "policy",  "devices", "state", "run",
					       "users",	 "geo",	      "journal", "refresh", "egress",  "nat",	NULL };
	struct doc_reader r;
	const struct hj_node *root;
	struct doc_gateway *g;

	doc_reader_init(&r, mem, src, diags);
	root = hujson_parse(mem, src, diags);
	g = doc_array(&r, 1, sizeof(*g));
	if (root == NULL || g == NULL || !doc_members(&r, root, "a gateway file", members))
		return NULL;
	tunnel_read(&r, root, &g->tunnel);
	netfilter_read(&r, root, g);
	dns_read(&r, root, g);
	users_and_geo_read(&r, root, g);
	egress_section_read(&r, root, g);
	g->policy_file = doc_string(&r, root, "policy", "policy.hujson");
	g->devices_file = doc_string(&r, root, "devices", "devices.hujson");
	g->refresh_s = doc_uint(&r, root, "refresh", 0, REFRESH_MAX_S, 30);
	g->state_dir = doc_string(&r, root, "state", "/var/lib/sluice");
	g->run_dir = doc_string(&r, root, "run", "/run/sluice");
	return doc_reader_failed(&r) ? NULL : g;
}
