/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by the policy compiler for its records and by the list parsers for those of zones and rewrites. */
#include "base/rdata.h"

/* The number at *at is that of @rdf: ldns cuts off what is too large for its field. Numbers come first in all types
 * that have some. */
static bool number_holds(const ldns_rdf *rdf, const char **at)
{
	const uint8_t *bytes = ldns_rdf_data(rdf);
	unsigned long want = bytes[0], got;
	char *end;

	if (ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_INT16)
		want = want << 8 | bytes[1];
	else if (ldns_rdf_get_type(rdf) != LDNS_RDF_TYPE_INT8)
		return true;
	got = strtoul(*at, &end, 10);
	if (end == *at || got != want)
		return false;
	*at = end;
	return true;
}

size_t rdata_join(const ldns_rr *rr, const char *from, uint8_t *buf, size_t cap)
{
	size_t len = 0;

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);
		size_t n = ldns_rdf_size(rdf);

		if (n > cap - len || !number_holds(rdf, &from))
			return 0;
		memcpy(buf + len, ldns_rdf_data(rdf), n);
		len += n;
	}
	return len;
}
