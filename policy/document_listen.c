/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where clients ask beside the tunnel's addresses: an address in text, or an object with a port and, for DNS over TLS,
 * a certificate. */
#include "policy/document_listen.h"

#include "sluice/dname.h"

#define TLS_PORT 853 /* RFC 7858 3.1 */

/* Each pair of files is one, however many addresses it is for. Its number from 1; 0 when there are too many. */
static uint8_t cert_add(struct doc_gateway *g, const struct doc_cert *c)
{
	for (uint32_t i = 0; i < g->n_certs; i++) {
		const struct doc_cert *x = &g->certs[i];
		bool same_name =
			x->name == NULL || c->name == NULL ? x->name == c->name : strcmp(x->name, c->name) == 0;

		if (same_name && strcmp(x->certificate, c->certificate) == 0 && strcmp(x->key, c->key) == 0)
			return (uint8_t)(i + 1);
	}
	if (g->n_certs == DOC_CERTS_MAX)
		return 0;
	g->certs[g->n_certs++] = *c;
	return (uint8_t)g->n_certs;
}

static uint8_t tls_read(struct doc_reader *r, const struct hj_node *entry, struct doc_gateway *g)
{
	static const char *const members[] = { "certificate", "key", "name", NULL };
	const struct hj_node *tls = doc_map(r, entry, "tls");
	struct doc_cert c;
	struct dname name;
	uint8_t number;

	if (tls == NULL || !doc_members(r, tls, "tls", members))
		return 0;
	c.certificate = doc_string(r, tls, "certificate", NULL);
	c.key = doc_string(r, tls, "key", NULL);
	c.name = doc_string(r, tls, "name", NULL);
	if (c.certificate == NULL || c.key == NULL) {
		(void)doc_error(r, "P1211", tls->span, "tls needs \"certificate\" and \"key\": two files in PEM");
		return 0;
	}
	if (c.name != NULL && (dname_parse(c.name, strlen(c.name), &name) < 0 || name.labels < 2))
		(void)doc_error(r, "P1211", hj_get(tls, "name")->span,
				"\"%s\" is no name of a host: that of the certificate, as dns.home.example", c.name);
	number = cert_add(g, &c);
	if (number == 0)
		(void)doc_error(r, "P1211", tls->span, "more than %u certificates", DOC_CERTS_MAX);
	return number;
}

static void entry_read(struct doc_reader *r, const struct hj_node *entry, struct doc_gateway *g)
{
	static const char *const members[] = { "address", "port", "tls", NULL };
	struct doc_listen l = { .port = g->dns_port };
	const char *text;

	if (entry->kind == HJ_OBJECT) {
		if (!doc_members(r, entry, "an element of listen", members))
			return;
		l.tls = tls_read(r, entry, g);
		l.port = (uint16_t)doc_uint(r, entry, "port", 1, 65535,
					    hj_get(entry, "tls") != NULL ? TLS_PORT : g->dns_port);
		text = doc_string(r, entry, "address", NULL);
		if (hj_get(entry, "address") == NULL)
			(void)doc_error(r, "P1210", entry->span, "this element of listen has no \"address\"");
	} else {
		text = doc_text(r, entry, "an address");
	}
	if (text == NULL)
		return;
	if (ip_addr_parse(text, &l.addr) < 0) {
		(void)doc_error(r, "P1210", entry->span,
				"%s is no address to listen on: 192.168.1.1, or 0.0.0.0 for all%s", text,
				strchr(text, '/') != NULL ? "; write it without a prefix length" : "");
		return;
	}
	for (uint32_t i = 0; i < g->n_listen; i++) {
		if (ip_addr_cmp(&g->listen[i].addr, &l.addr) == 0 && g->listen[i].port == l.port) {
			(void)doc_error(r, "P1212", entry->span, "listen has %s port %u twice", text, l.port);
			return;
		}
	}
	g->listen[g->n_listen++] = l;
}

static bool on_tunnel(const struct doc_tunnel *t, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < t->n_addresses; i++)
		if (ip_addr_cmp(&t->addresses[i].addr, a) == 0)
			return true;
	return ip_addr_is_any(a);
}

/* Devices reach these without a rule, as they do port 53. */
static void tls_ports_fill(struct doc_gateway *g)
{
	for (uint32_t i = 0; i < g->n_listen && g->listen != NULL; i++) {
		bool known = g->listen[i].tls == 0 || !on_tunnel(&g->tunnel, &g->listen[i].addr);

		for (uint32_t k = 0; k < g->n_tls_ports && !known; k++)
			known = g->tls_ports[k] == g->listen[i].port;
		if (!known)
			g->tls_ports[g->n_tls_ports++] = g->listen[i].port;
	}
}

void listen_read(struct doc_reader *r, const struct hj_node *dns, struct doc_gateway *g)
{
	const struct hj_node *list = doc_list(r, dns, "listen");

	if (list == NULL)
		return;
	if (list->n_children > DOC_LISTEN_MAX) {
		(void)doc_error(r, "P1210", list->span, "more than %u addresses to listen on: 0.0.0.0 and :: are all",
				DOC_LISTEN_MAX);
		return;
	}
	g->listen = doc_array(r, list->n_children, sizeof(*g->listen));
	for (const struct hj_node *m = g->listen != NULL ? list->child : NULL; m != NULL; m = m->next)
		entry_read(r, m, g);
	tls_ports_fill(g);
}
