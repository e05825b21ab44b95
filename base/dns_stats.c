/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The names of what dnsd counts. */
#include "sluice/dns_stats.h"

#define NAME_OF(name, text)	  text,
#define NAME_ITSELF(name, number) #name,

const char *dns_outcome_name(enum dns_outcome o)
{
	static const char *const names[] = { DNS_OUTCOME_LIST(NAME_OF) };

	static_assert(ARRAY_LEN(names) == DNS_OUTCOME_MAX, "names");
	return names[o];
}

const char *dns_event_name(enum dns_event e)
{
	static const char *const names[] = { DNS_EVENT_LIST(NAME_OF) };

	static_assert(ARRAY_LEN(names) == DNS_EVENT_MAX, "names");
	return names[e];
}

const char *dns_transport_name(enum dns_transport t)
{
	static const char *const names[] = { DNS_TRANSPORT_LIST(NAME_OF) };

	static_assert(ARRAY_LEN(names) == DNS_TRANSPORT_MAX, "names");
	return names[t];
}

const char *dns_rcode_name(uint32_t i)
{
	static const char *const names[] = { DNS_RCODE_LIST(NAME_OF) };

	static_assert(ARRAY_LEN(names) == DNS_RCODES, "names");
	return names[i < DNS_RCODES ? i : DNS_RCODE_OTHER];
}

const char *dns_qtype_name(enum dns_qtype t)
{
	static const char *const names[] = { DNS_QTYPE_LIST(NAME_ITSELF) "other" };

	static_assert(ARRAY_LEN(names) == DNS_QTYPE_MAX, "names");
	return names[t];
}

const char *dns_stage_name(enum dns_stage s)
{
	static const char *const names[] = { DNS_STAGE_LIST(NAME_OF) };

	static_assert(ARRAY_LEN(names) == DNS_STAGE_MAX, "names");
	return names[s];
}
