/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by worker.c with what it listens on, by query.c with questions. The record is RFC 9460's with the parameters
 * of RFC 9461: priority 1, the certificate's name, alpn=dot, port, and the addresses where they are known. Loopback
 * addresses are no hints: who gets one would ask itself. */
#include "dnsd/ddr.h"

#include "dnsd/local.h"

#define SVCB_PRIORITY 1u

/* RFC 9460 14.3.2 */
enum svcb_key { SVCB_ALPN = 1, SVCB_PORT = 3, SVCB_IPV4HINT = 4, SVCB_IPV6HINT = 6 };

static const struct dname top = { .len = 15,
				  .labels = 2,
				  .wire = "\x08resolver\x04"
					  "arpa" };
static const struct dname dns = { .len = 20,
				  .labels = 3,
				  .wire = "\x04_dns\x08resolver\x04"
					  "arpa" };

void ddr_name(struct ddr *d, uint32_t number, const char *name)
{
	if (number >= DDR_CERTS_MAX)
		return;
	d->names[number].len = 0;
	if (name[0] != '\0')
		(void)dname_parse(name, strlen(name), &d->names[number]);
}

static struct ddr_service *service_of(struct ddr *d, const struct msg_listen *l)
{
	for (uint32_t i = 0; i < d->n_services; i++)
		if (d->services[i].tls == l->tls && d->services[i].port == l->port)
			return &d->services[i];
	if (d->n_services == DDR_PORTS_MAX)
		return NULL;
	d->services[d->n_services] = (struct ddr_service){ .tls = l->tls, .port = l->port };
	return &d->services[d->n_services++];
}

void ddr_listen(struct ddr *d, const struct msg_listen *l)
{
	struct ddr_service *s = l->tls != 0 && l->tls < DDR_CERTS_MAX ? service_of(d, l) : NULL;

	if (s == NULL)
		return;
	if (ip_addr_is_any(&l->addr))
		s->every = true;
	else if (!ip_addr_is_loopback(&l->addr) && s->n_hints < DDR_HINTS_MAX)
		s->hints[s->n_hints++] = l->addr;
}

bool ddr_is_name(const struct dname *name)
{
	return dname_in(name, &top);
}

/* Addresses of one family; nothing when there are none, or when not all are known. */
static void write_hints(struct wcur *w, const struct ddr_service *s, enum ip_family family, enum svcb_key key)
{
	uint8_t len = family == IP_V4 ? 4 : 16;
	uint16_t n = 0;

	for (uint32_t i = 0; i < s->n_hints; i++)
		n = (uint16_t)(n + (s->hints[i].family == family));
	if (n == 0 || s->every)
		return;
	wcur_be16(w, key);
	wcur_be16(w, (uint16_t)(n * len));
	for (uint32_t i = 0; i < s->n_hints; i++)
		if (s->hints[i].family == family)
			wcur_bytes(w, s->hints[i].bytes, len);
}

/* Parameters in the order of their keys (RFC 9460 2.2); the target is not compressed. */
static void write_service(struct answer_out *o, const struct question *q, const struct dname *name,
			  const struct ddr_service *s)
{
	static const uint8_t alpn[] = { 3, 'd', 'o', 't' };
	uint8_t *rdlen = answer_rr_begin(o, SECTION_ANSWER, q->sent, q->name.len, TYPE_SVCB, LOCAL_TTL_S);

	wcur_be16(&o->w, SVCB_PRIORITY);
	wcur_bytes(&o->w, name->wire, name->len);
	wcur_be16(&o->w, SVCB_ALPN);
	wcur_be16(&o->w, sizeof(alpn));
	wcur_bytes(&o->w, alpn, sizeof(alpn));
	wcur_be16(&o->w, SVCB_PORT);
	wcur_be16(&o->w, sizeof(s->port));
	wcur_be16(&o->w, s->port);
	write_hints(&o->w, s, IP_V4, SVCB_IPV4HINT);
	write_hints(&o->w, s, IP_V6, SVCB_IPV6HINT);
	answer_rr_end(o, rdlen);
}

static int empty(const struct question *q, uint8_t *buf, size_t limit)
{
	uint32_t rcode = q->name.labels > top.labels && !dname_equal(&q->name, &dns) ? RCODE_NXDOMAIN : RCODE_NOERROR;

	return local_negative(q, rcode, EDE_NONE, NULL, buf, limit);
}

int ddr_answer(const struct question *q, const struct ddr *d, uint8_t *buf, size_t limit)
{
	struct answer_out o;
	uint32_t n = 0;
	int len;

	if (q->type != TYPE_SVCB || !dname_equal(&q->name, &dns))
		return empty(q, buf, limit);
	answer_begin(&o, buf, limit, q, DNS_AA, RCODE_NOERROR);
	for (uint32_t i = 0; i < d->n_services; i++) {
		const struct dname *name = &d->names[d->services[i].tls];

		if (name->len == 0)
			continue;
		write_service(&o, q, name, &d->services[i]);
		n++;
	}
	if (n == 0)
		return empty(q, buf, limit);
	answer_opt(&o, q, RCODE_NOERROR, EDE_NONE, NULL);
	len = answer_end(&o);
	if (len >= 0)
		return len;
	answer_begin(&o, buf, limit, q, DNS_AA | DNS_TC, RCODE_NOERROR);
	answer_opt(&o, q, RCODE_NOERROR, EDE_NONE, NULL);
	return answer_end(&o);
}
