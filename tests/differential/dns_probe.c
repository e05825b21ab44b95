/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked, and how answers are held side by side. All by ldns: nothing of the code under test. */
#include "dns_compare.h"

#include <ctype.h>

#define RRS_MAX	     200000u
#define UDP_SIZE_MAX 1232u /* of both servers */

struct pool {
	uint64_t state;
	struct {
		char *name;
		ldns_rr_type type;
	} * rrs; /* of all zones; the records of a set once */
	size_t n;
	uint16_t id;
};

/* splitmix64: the questions must be the same everywhere. */
static uint64_t random64(struct pool *p)
{
	uint64_t z = p->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static unsigned below(struct pool *p, unsigned n)
{
	return (unsigned)(random64(p) % n);
}

static bool chance(struct pool *p, unsigned percent)
{
	return below(p, 100) < percent;
}

static void rr_add(struct pool *p, const ldns_rr *rr)
{
	char *text = ldns_rdf2str(ldns_rr_owner(rr));

	if (p->n != 0 && strcmp(p->rrs[p->n - 1].name, text) == 0 && p->rrs[p->n - 1].type == ldns_rr_get_type(rr)) {
		free(text);
		return;
	}
	if (p->n == RRS_MAX) {
		fprintf(stderr, "more than %u records\n", RRS_MAX);
		exit(2);
	}
	p->rrs[p->n].name = text;
	p->rrs[p->n++].type = ldns_rr_get_type(rr);
}

static void zone_add(struct pool *p, const char *path)
{
	FILE *f = fopen(path, "re");
	ldns_zone *zone = NULL;
	int line = 0;

	if (f == NULL || ldns_zone_new_frm_fp_l(&zone, f, NULL, 0, LDNS_RR_CLASS_IN, &line) != LDNS_STATUS_OK) {
		fprintf(stderr, "%s:%d: cannot be read\n", path, line);
		exit(2);
	}
	(void)fclose(f);
	rr_add(p, ldns_zone_soa(zone));
	for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_zone_rrs(zone)); i++)
		rr_add(p, ldns_rr_list_rr(ldns_zone_rrs(zone), i));
	ldns_zone_deep_free(zone);
}

struct pool *pool_new(uint64_t seed, char **files, unsigned n_files)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->rrs = calloc(RRS_MAX, sizeof(*p->rrs))) == NULL)
		abort();
	p->state = seed;
	for (unsigned i = 0; i < n_files; i++)
		zone_add(p, files[i]);
	return p;
}

void pool_free(struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->rrs[i].name);
	free(p->rrs);
	free(p);
}

/* Names of hosts, so that what was missed once is asked again now and then. */
static void label_new(struct pool *p, char *ret, size_t size)
{
	static const char *const words[] = { "www", "mail", "a", "_tcp", "host1", "x--y", "*", "zz" };

	if (chance(p, 50))
		snprintf(ret, size, "%s", words[below(p, ARRAY_LEN(words))]);
	else
		snprintf(ret, size, "r%u", below(p, 100000));
}

static void name_make(struct pool *p, const char *name, char *ret, size_t size)
{
	const char *dot;
	char label[32];
	unsigned how = below(p, 100);

	label_new(p, label, sizeof(label));
	if (strncmp(name, "*.", 2) == 0 && how < 90)
		snprintf(ret, size, "%s.%s", how < 60 ? label : "b.c", name + 2);
	else if (how < 60)
		snprintf(ret, size, "%s", name);
	else if (how < 80)
		snprintf(ret, size, "%s.%s", label, strcmp(name, ".") == 0 ? "" : name);
	else if (how < 88 && (dot = strchr(name, '.')) != NULL && dot[1] != '\0')
		snprintf(ret, size, "%s", dot + 1); /* above: often an empty non-terminal */
	else if (how < 97 && (dot = strchr(name, '.')) != NULL && dot[1] != '\0')
		snprintf(ret, size, "%s%s", label, dot); /* beside */
	else
		snprintf(ret, size, "%s.no-such-domain.", label);
}

void pool_probe(struct pool *p, struct probe *ret)
{
	static const ldns_rr_type types[] = {
		LDNS_RR_TYPE_A,	    LDNS_RR_TYPE_A,	LDNS_RR_TYPE_A,	   LDNS_RR_TYPE_AAAA,  LDNS_RR_TYPE_AAAA,
		LDNS_RR_TYPE_TXT,   LDNS_RR_TYPE_MX,	LDNS_RR_TYPE_NS,   LDNS_RR_TYPE_SOA,   LDNS_RR_TYPE_CNAME,
		LDNS_RR_TYPE_HTTPS, LDNS_RR_TYPE_SRV,	LDNS_RR_TYPE_PTR,  LDNS_RR_TYPE_DS,    LDNS_RR_TYPE_DNSKEY,
		LDNS_RR_TYPE_CAA,   LDNS_RR_TYPE_NAPTR, LDNS_RR_TYPE_LOC,  LDNS_RR_TYPE_HINFO, LDNS_RR_TYPE_TLSA,
		LDNS_RR_TYPE_SSHFP, LDNS_RR_TYPE_DNAME, LDNS_RR_TYPE_SVCB, LDNS_RR_TYPE_RP,    (ldns_rr_type)65280,
	};
	static const uint16_t sizes[] = { 0, 512, 1232, 1232, 1232, 4096 };
	unsigned i;

	i = below(p, (unsigned)p->n);
	*ret = (struct probe){ .id = ++p->id };
	name_make(p, p->rrs[i].name, ret->name, sizeof(ret->name));
	if (chance(p, 30))
		for (char *c = ret->name; *c != '\0'; c++)
			if (chance(p, 50))
				*c = (char)toupper((unsigned char)*c);
	ret->type = chance(p, 50) ? p->rrs[i].type : types[below(p, ARRAY_LEN(types))];
	ret->size = sizes[below(p, ARRAY_LEN(sizes))];
	ret->dnssec_ok = ret->size != 0 && chance(p, 50);
	ret->cd = chance(p, 15);
	ret->ad = chance(p, 20);
}

void probe_write(const struct probe *q, uint8_t **ret, size_t *ret_len)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(q->name);
	ldns_pkt *p = owner != NULL ? ldns_pkt_query_new(owner, q->type, LDNS_RR_CLASS_IN, LDNS_RD) : NULL;

	if (p == NULL) {
		fprintf(stderr, "%s: no name\n", q->name);
		exit(2);
	}
	ldns_pkt_set_id(p, q->id);
	ldns_pkt_set_cd(p, q->cd);
	ldns_pkt_set_ad(p, q->ad);
	if (q->size != 0) {
		ldns_pkt_set_edns_udp_size(p, q->size);
		ldns_pkt_set_edns_do(p, q->dnssec_ok);
	}
	if (ldns_pkt2wire(ret, p, ret_len) != LDNS_STATUS_OK)
		abort();
	ldns_pkt_free(p);
}

void probe_print(const struct probe *q, FILE *out)
{
	char *type = ldns_rr_type2str(q->type);

	fprintf(out, "%s %s size=%u%s%s%s\n", q->name, type, q->size, q->dnssec_ok ? " DO" : "", q->cd ? " CD" : "",
		q->ad ? " AD" : "");
	free(type);
}

size_t probe_limit(const struct probe *q)
{
	if (q->size <= 512)
		return 512;
	return q->size < UDP_SIZE_MAX ? q->size : UDP_SIZE_MAX;
}

/* Lower case, TTL 0; the list and what is in it are the caller's. */
static ldns_rr_list *canonical(const ldns_rr_list *list)
{
	ldns_rr_list *copy = list != NULL ? ldns_rr_list_clone(list) : NULL;

	if (copy == NULL)
		copy = ldns_rr_list_new();
	for (size_t i = 0; i < ldns_rr_list_rr_count(copy); i++) {
		ldns_rr2canonical(ldns_rr_list_rr(copy, i));
		ldns_rr_set_ttl(ldns_rr_list_rr(copy, i), 0);
	}
	return copy;
}

static bool list_has(const ldns_rr_list *list, const ldns_rr *rr)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
		if (ldns_rr_compare(ldns_rr_list_rr(list, i), rr) == 0)
			return true;
	return false;
}

bool records_within(const ldns_rr_list *a, const ldns_rr_list *b)
{
	ldns_rr_list *of = canonical(a), *in = canonical(b);
	bool within = true;

	for (size_t i = 0; i < ldns_rr_list_rr_count(of) && within; i++)
		within = list_has(in, ldns_rr_list_rr(of, i));
	ldns_rr_list_deep_free(of);
	ldns_rr_list_deep_free(in);
	return within;
}

bool records_equal(const ldns_rr_list *a, const ldns_rr_list *b)
{
	size_t n_a = a != NULL ? ldns_rr_list_rr_count(a) : 0, n_b = b != NULL ? ldns_rr_list_rr_count(b) : 0;

	return n_a == n_b && records_within(a, b) && records_within(b, a);
}

bool ttls_near(const ldns_rr_list *a, const ldns_rr_list *b, long slack_s)
{
	ldns_rr_list *of = canonical(a), *in = canonical(b);
	bool near = true;

	for (size_t i = 0; i < ldns_rr_list_rr_count(of); i++) {
		for (size_t k = 0; k < ldns_rr_list_rr_count(in); k++) {
			long d = (long)ldns_rr_ttl(ldns_rr_list_rr(a, i)) - (long)ldns_rr_ttl(ldns_rr_list_rr(b, k));

			if (ldns_rr_compare(ldns_rr_list_rr(of, i), ldns_rr_list_rr(in, k)) == 0 && labs(d) > slack_s)
				near = false;
		}
	}
	ldns_rr_list_deep_free(of);
	ldns_rr_list_deep_free(in);
	return near;
}
