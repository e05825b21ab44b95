/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/dns_type.h"

#include <ldns/ldns.h>
#include <strings.h>

uint16_t dns_type_parse(const char *text)
{
	/* Some builds of ldns do not know them. */
	if (strcasecmp(text, "HTTPS") == 0)
		return DNS_TYPE_HTTPS;
	if (strcasecmp(text, "SVCB") == 0)
		return DNS_TYPE_SVCB;
	return (uint16_t)ldns_get_rr_type_by_name(text);
}
