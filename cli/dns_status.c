/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What dnsd has done since it started, for people: what is broken first. */
#include "cli/dns.h"

#define LINE_MAX_BYTES 1600 /* one upstream: a suffix and a certificate name of full length */

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static const cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

const char *dns_upstream_print(const cJSON *u, char *buf, size_t size)
{
	const char *suffix = control_text(u, "suffix"), *kind = control_text(u, "kind");
	bool tls = member(u, "tls_name") != NULL, all = strcmp(suffix, ".") == 0;

	if (strcmp(kind, "recursive") == 0)
		(void)snprintf(buf, size, "the servers of each zone, from the root");
	else
		(void)snprintf(buf, size, "%s %s port %.0f%s%s%s%s%s", kind, control_text(u, "addr"),
			       number_of(u, "port"), tls ? " (" : "", tls ? control_text(u, "tls_name") : "",
			       tls ? ")" : "", all ? "" : ", for ", all ? "" : suffix);
	return buf;
}

static bool is_down(const cJSON *upstream)
{
	return strcmp(control_text(upstream, "state"), "down") == 0;
}

static void down_print(const cJSON *a)
{
	char text[LINE_MAX_BYTES];
	const cJSON *u;

	cJSON_ArrayForEach(u, member(a, "upstreams"))
	{
		if (!is_down(u))
			continue;
		printf("UPSTREAM DOWN: %s: %.0f of %.0f questions failed\n", dns_upstream_print(u, text, sizeof(text)),
		       number_of(u, "failed"), number_of(u, "asked"));
	}
	if (member(member(a, "dnstap"), "error") != NULL)
		printf("NO DNSTAP: %s\n", control_text(member(a, "dnstap"), "error"));
}

/* From the cache, of what could have been: what we answer by ourselves has no part in it. */
static double hit_percent(const cJSON *outcomes)
{
	static const char *const asked[] = { "resolved", "coalesced", "bogus", "servfail", "timed_out" };
	double hits = number_of(outcomes, "cached") + number_of(outcomes, "stale"), all = hits;

	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		all += number_of(outcomes, asked[i]);
	return all > 0 ? 100 * hits / all : 0;
}

static void counts_print(const cJSON *counts, const char *title)
{
	const char *between = "";
	const cJSON *n;

	printf("%-11s", title);
	cJSON_ArrayForEach(n, counts)
	{
		if (n->valuedouble == 0)
			continue;
		printf("%s%.0f %s", between, n->valuedouble, n->string);
		between = ", ";
	}
	puts(*between != '\0' ? "" : "none");
}

static void time_print(double us)
{
	if (us < 1000)
		printf(" %6.0f us", us);
	else if (us < 1e6)
		printf(" %6.1f ms", us / 1e3);
	else
		printf(" %6.1f s ", us / 1e6);
}

static void latencies_print(const cJSON *latencies)
{
	static const char *const columns[] = { "p50", "p90", "p99", "p99.9", "max" };
	const cJSON *l;

	printf("%-11s%10s", "took", "answers");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		printf(" %9s", columns[i]);
	putchar('\n');
	cJSON_ArrayForEach(l, latencies)
	{
		printf("  %-9s%10.0f", l->string, number_of(l, "count"));
		for (size_t i = 0; i < ARRAY_LEN(columns) && number_of(l, "count") > 0; i++)
			time_print(number_of(l, columns[i]));
		putchar('\n');
	}
}

static void upstreams_print(const cJSON *upstreams)
{
	char text[LINE_MAX_BYTES];
	const cJSON *u;

	cJSON_ArrayForEach(u, upstreams)
	{
		const char *state = control_text(u, "state");

		printf("upstream   %s", dns_upstream_print(u, text, sizeof(text)));
		if (strcmp(control_text(u, "kind"), "recursive") != 0)
			printf(": %s", strcmp(state, "unknown") == 0 ? "not heard of yet" : state);
		if (number_of(u, "rtt_us") > 0)
			printf(", %.1f ms", number_of(u, "rtt_us") / 1000);
		if (number_of(u, "asked") > 0)
			printf(", %.0f asked, %.0f failed", number_of(u, "asked"), number_of(u, "failed"));
		putchar('\n');
	}
}

void dns_status_print(const cJSON *a)
{
	const cJSON *cache = member(a, "cache"), *tap = member(a, "dnstap");

	down_print(a);
	printf("resolver up %.0f s, plan %.0f, %.0f workers: %.0f questions, %.0f under way\n", number_of(a, "age_s"),
	       number_of(a, "generation"), number_of(a, "workers"), number_of(a, "queries"), number_of(a, "under_way"));
	printf("%.1f %% of what was asked for came from the cache\n", hit_percent(member(a, "outcomes")));
	counts_print(member(a, "outcomes"), "outcomes");
	counts_print(member(a, "events"), "beside");
	counts_print(member(a, "transports"), "came by");
	counts_print(member(a, "qtypes"), "types");
	counts_print(member(a, "rcodes"), "rcodes");
	counts_print(member(a, "lists"), "by lists");
	latencies_print(member(a, "latencies_us"));
	printf("cache      %.0f entries, %.1f of %.1f MB\n", number_of(cache, "entries"),
	       number_of(cache, "bytes") / 1e6, number_of(cache, "limit_bytes") / 1e6);
	upstreams_print(member(a, "upstreams"));
	if (tap != NULL)
		printf("dnstap     %s: %.0f of %.0f workers connected\n", control_text(tap, "path"),
		       number_of(tap, "connected"), number_of(a, "workers"));
}

void dns_summary_print(const cJSON *dns)
{
	char text[LINE_MAX_BYTES];
	const cJSON *u;

	if (dns == NULL)
		return;
	if (member(dns, "error") != NULL) {
		printf("NO DNS: %s\n", control_text(dns, "error"));
		return;
	}
	printf("dns: %.0f questions, %.1f %% from the cache, %.0f blocked", number_of(dns, "queries"),
	       hit_percent(member(dns, "outcomes")), number_of(member(dns, "outcomes"), "blocked"));
	cJSON_ArrayForEach(u, member(dns, "upstreams"))
	{
		if (is_down(u))
			printf("; UPSTREAM DOWN: %s", dns_upstream_print(u, text, sizeof(text)));
	}
	putchar('\n');
}
