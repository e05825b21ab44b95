/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records as lists have them. Called by the parsers of zone files and of resolvers' configurations.
 *
 * CNAME and addresses are read here: a zone of a million names is a million times "CNAME .". Data of all other types
 * are ldns' business. What ldns would cut to fit is refused: a number that is too large for its field. */
#include "filter/listrecord.h"

#include "base/rdata.h"

#define WORD_MAX  24u	      /* of a type, class or TTL: "NSEC3PARAM", "TYPE65535", "52w" */
#define TTL_MAX_S 0x7fffffffu /* RFC 2181 8 */

static bool word_copy(struct text t, char buf[WORD_MAX])
{
	if (t.len == 0 || t.len >= WORD_MAX)
		return false;
	memcpy(buf, t.s, t.len);
	buf[t.len] = '\0';
	return true;
}

bool list_record_ttl(struct text t, uint32_t *ret_s)
{
	char buf[WORD_MAX];
	const char *end;
	uint32_t s;

	if (t.len == 0 || !(t.s[0] >= '0' && t.s[0] <= '9') || t.len > 10 || !word_copy(t, buf))
		return false;
	s = ldns_str2period(buf, &end);
	if (*end != '\0')
		return false;
	*ret_s = s < TTL_MAX_S ? s : TTL_MAX_S;
	return true;
}

static bool is_upper(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!(t.s[i] >= 'A' && t.s[i] <= 'Z') && !(t.s[i] >= '0' && t.s[i] <= '9'))
			return false;
	return true;
}

static uint16_t type_read(struct text t, bool upper)
{
	char buf[WORD_MAX];

	if (text_is(t, "CNAME"))
		return LDNS_RR_TYPE_CNAME;
	if ((upper && !is_upper(t)) || !word_copy(t, buf))
		return 0;
	return (uint16_t)ldns_get_rr_type_by_name(buf);
}

const char *list_record_read(struct text t, uint32_t default_ttl_s, bool upper, struct list_record *ret)
{
	struct text w = text_word_take(&t);

	ret->ttl_s = default_ttl_s;
	for (int i = 0; i < 2; i++) {
		if (list_record_ttl(w, &ret->ttl_s) || text_is_nocase(w, "IN"))
			w = text_word_take(&t);
		else if (text_is(w, "CH") || text_is(w, "HS"))
			return "record of a class other than IN";
	}
	ret->type = type_read(w, upper);
	if (ret->type == 0)
		return "no record: its type is missing or not known";
	ret->data = text_trim(t);
	return ret->data.len != 0 ? NULL : "record without data";
}

bool list_name_join(struct dname *name, const struct dname *below)
{
	if (below == NULL || below->len <= 1)
		return true;
	if (name->len - 1 + below->len > DNAME_MAX)
		return false;
	memcpy(name->wire + name->len - 1, below->wire, below->len);
	name->len = (uint8_t)(name->len - 1 + below->len);
	name->labels = (uint8_t)(name->labels + below->labels);
	return true;
}

const char *list_record_target(struct text t, const struct dname *origin, struct dname *ret)
{
	bool whole = t.len > 0 && t.s[t.len - 1] == '.';
	const char *why = text_name(t, ret);

	if (why != NULL)
		return strcmp(why, LIST_WHY_ADDRESS) == 0 ? "target that is no name" : why;
	if (whole)
		return NULL;
	if (origin == NULL)
		return "target without a dot at its end, and nothing says what the zone is called ($ORIGIN)";
	return list_name_join(ret, origin) ? NULL : "name longer than 255 bytes";
}

bool list_addr_blocks(const struct ip_addr *a)
{
	return ip_addr_is_any(a) || ip_addr_is_loopback(a);
}

void list_terms_put_addr(struct list_terms *terms, const struct ip_addr *a, uint32_t ttl_s)
{
	list_terms_put_record(terms, a->family == IP_V4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA, ttl_s, a->bytes,
			      ip_addr_len(a));
}

static const char *by_ldns(const struct list_record *r, const struct dname *origin, struct list_terms *terms)
{
	char line[LIST_LINE_MAX_BYTES + 64];
	uint8_t data[LIST_LINE_MAX_BYTES];
	ldns_rdf *top = NULL;
	ldns_rr *rr = NULL;
	size_t n, len;
	ldns_status status;

	n = (size_t)snprintf(line, sizeof(line), ". 0 IN TYPE%u ", r->type);
	if (r->data.len >= sizeof(line) - n)
		return "record longer than 4096 bytes";
	/* The type by its name where it has one: "TYPE1" wants the data as RFC 3597 writes them. */
	if (ldns_rr_descript(r->type)->_name != NULL && !text_starts(r->data, "\\#"))
		n = (size_t)snprintf(line, sizeof(line), ". 0 IN %s ", ldns_rr_descript(r->type)->_name);
	memcpy(line + n, r->data.s, r->data.len);
	line[n + r->data.len] = '\0';
	if (origin != NULL && origin->len > 1)
		top = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, origin->len, origin->wire);
	status = ldns_rr_new_frm_str(&rr, line, 0, top, NULL);
	ldns_rdf_deep_free(top);
	if (status != LDNS_STATUS_OK)
		return ldns_get_errorstr_by_id(status);
	len = ldns_rr_get_type(rr) == (ldns_rr_type)r->type ? rdata_join(rr, line + n, data, sizeof(data)) : 0;
	ldns_rr_free(rr);
	if (len == 0)
		return "record whose data cannot be read";
	list_terms_put_record(terms, r->type, r->ttl_s, data, len);
	return NULL;
}

bool list_record_is_zones(uint16_t type)
{
	return type == LDNS_RR_TYPE_SOA || type == LDNS_RR_TYPE_NS || type == LDNS_RR_TYPE_DS ||
	       type == LDNS_RR_TYPE_RRSIG || type == LDNS_RR_TYPE_NSEC || type == LDNS_RR_TYPE_NSEC3 ||
	       type == LDNS_RR_TYPE_NSEC3PARAM || type == LDNS_RR_TYPE_DNSKEY;
}

const char *list_record_rule(const struct list_record *r, const struct dname *origin, enum list_action *ret_action,
			     struct list_terms *terms)
{
	const char *why;
	struct ip_addr addr;
	struct dname target;

	if (r->type == LDNS_RR_TYPE_DNAME || list_record_is_zones(r->type))
		return "record that cannot stand as an answer by itself";
	*ret_action = LIST_REWRITE;
	if (r->type == LDNS_RR_TYPE_CNAME) {
		why = list_record_target(r->data, origin, &target);
		if (why == NULL)
			list_terms_put(terms, TERM_CNAME, false, target.wire, target.len);
		return why;
	}
	if (r->type != LDNS_RR_TYPE_A && r->type != LDNS_RR_TYPE_AAAA)
		return by_ldns(r, origin, terms);
	if (!text_address(r->data, &addr, NULL) || (addr.family == IP_V4) != (r->type == LDNS_RR_TYPE_A))
		return "address that cannot be read, or of the other family";
	if (list_addr_blocks(&addr))
		*ret_action = LIST_BLOCK;
	else
		list_terms_put_addr(terms, &addr, r->ttl_s);
	return NULL;
}
