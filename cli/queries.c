/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice queries`: recorded questions, one a line. Reads files only; the gateway may be down. */
#include "cli/cli.h"
#include "cli/query_filter.h"

#include <ldns/ldns.h>

#define TYPE_TEXT_MAX 32

static const char help[] =
	"usage: sluice queries [--device D] [--name N] [--list L] [--type T] [--blocked] [--since T] [--until T]\n"
	"                      [--follow] [--json] [--journal DIR] [--key FILE]\n\n"
	"One recorded question a line: when, device, name, type, what it was answered, by which rule of which list, "
	"and\n"
	"how long that took. Questions are recorded of devices whose policy says so (\"logs\", \"queries\"); of level\n"
	"counts, a line says how many there were within a minute. Gaps in the record are lines too.\n" QUERY_FILTER_HELP
	"  --follow     go on with what is recorded\n";

static const char *rcode_print(uint8_t rcode)
{
	const ldns_lookup_table *t = rcode != QUERY_RCODE_NONE ? ldns_lookup_by_id(ldns_rcodes, rcode) : NULL;

	return t != NULL ? t->name : "-";
}

static const char *upstream_print(const struct query_record *q, char buf[IP_TEXT_MAX + 8])
{
	char addr[IP_TEXT_MAX];

	(void)snprintf(buf, IP_TEXT_MAX + 8, "%s#%u", journal_addr_print(&q->upstream, addr), q->upstream_port);
	return buf;
}

/* --- JSON rows: members stay, in this order. --- */

static void add_number(cJSON *j, const char *name, bool known, double n)
{
	if (known)
		cJSON_AddNumberToObject(j, name, n);
	else
		cJSON_AddNullToObject(j, name);
}

static void add_known(cJSON *j, const char *name, bool known, const char *text)
{
	if (known)
		cJSON_AddStringToObject(j, name, text);
	else
		cJSON_AddNullToObject(j, name);
}

static void add_query(cJSON *j, const struct query_record *q)
{
	char addr[IP_TEXT_MAX], type[TYPE_TEXT_MAX], upstream[IP_TEXT_MAX + 8];
	bool one = q->count == 0;
	cJSON *answer;

	journal_add_time(j, "at", q->at_us);
	journal_add_text(j, "device", q->device);
	add_known(j, "src", q->client.family != IP_NONE, journal_addr_print(&q->client, addr));
	journal_add_text(j, "name", q->name);
	add_known(j, "type", one, query_type_print(q->type, type, sizeof(type)));
	journal_add_text(j, "outcome", q->outcome);
	add_known(j, "rcode", q->rcode != QUERY_RCODE_NONE, rcode_print(q->rcode));
	cJSON_AddStringToObject(j, "reason", query_reason_name(q->reason));
	cJSON_AddBoolToObject(j, "excepted", q->excepted);
	journal_add_text(j, "list", q->list);
	add_number(j, "line", q->line != 0, q->line);
	journal_add_text(j, "rule", q->rule);
	add_known(j, "upstream", q->upstream.family != IP_NONE, upstream_print(q, upstream));
	add_number(j, "latency_us", one, q->latency_us);
	answer = cJSON_AddArrayToObject(j, "answer");
	for (uint8_t i = 0; i < q->n_addrs; i++)
		cJSON_AddItemToArray(answer, cJSON_CreateString(journal_addr_print(&q->addrs[i], addr)));
	cJSON_AddNumberToObject(j, "count", one ? 1 : (double)q->count);
	cJSON_AddStringToObject(j, "state", one ? "query" : "count");
}

/* --- Rows for people. --- */

static void why_print(const struct query_record *q)
{
	char text[FLOW_TEXT_MAX + 1];
	struct flow_text where = query_where(q);

	if (where.len == 0)
		return;
	(void)printf("  %s%s", q->excepted ? "allowed by " : "", journal_text_print(where, text));
	if (q->line != 0)
		(void)printf(" line %u", q->line);
	if (q->rule.len != 0)
		(void)printf(": %s", journal_text_print(q->rule, text));
}

static void query_print(const struct query_record *q)
{
	char when[JOURNAL_TIME_MAX], device[FLOW_TEXT_MAX + 1], text[FLOW_TEXT_MAX + 1], outcome[FLOW_TEXT_MAX + 1];
	char type[TYPE_TEXT_MAX], addr[IP_TEXT_MAX], upstream[IP_TEXT_MAX + 8];

	(void)printf("%.19s  %-12s", journal_time_print(q->at_us, when), journal_text_print(q->device, device));
	if (q->count != 0) {
		(void)printf("  %llu questions  %s", (unsigned long long)q->count,
			     journal_text_print(q->outcome, outcome));
		why_print(q);
		(void)putchar('\n');
		return;
	}
	(void)printf("  %s %s  %s %s", journal_text_print(q->name, text), query_type_print(q->type, type, sizeof(type)),
		     journal_text_print(q->outcome, outcome), rcode_print(q->rcode));
	for (uint8_t i = 0; i < q->n_addrs; i++)
		(void)printf("%s%s", i == 0 ? " " : ",", journal_addr_print(&q->addrs[i], addr));
	why_print(q);
	if (q->upstream.family != IP_NONE)
		(void)printf("  from %s", upstream_print(q, upstream));
	(void)printf("  %.1f ms\n", q->latency_us / 1e3);
}

static void row_show(void *arg, const struct row *row)
{
	const struct query_filter *f = arg;
	cJSON *j;

	if (!f->json) {
		if (row->kind == ROW_QUERY)
			query_print(&row->query);
		else
			journal_gap_print(row);
		return;
	}
	j = cJSON_CreateObject();
	if (row->kind == ROW_QUERY)
		add_query(j, &row->query);
	else
		journal_add_gap(j, row);
	journal_json_print(j);
}

int cmd_queries(int argc, char **argv)
{
	static const struct option longs[] = { { "follow", no_argument, NULL, 'f' }, QUERY_FILTER_LONGS, { 0 } };
	struct query_filter f = { 0 };
	struct err e = { 0 };
	int opt, r;

	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (opt == 'f') {
			f.follow = true;
		} else if (!query_filter_option(&f, opt, optarg)) {
			(void)fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	if (optind != argc) {
		(void)fputs(help, stderr);
		return CLI_USAGE;
	}
	r = query_filter_each(&f, row_show, &f, &e);
	if (fflush(stdout) != 0)
		r = err_set(&e, -EIO, "writing the rows: %s", strerror(errno));
	if (r != 0)
		(void)fprintf(stderr, "sluice queries: %s\n", e.msg);
	return r == 0 ? CLI_OK : CLI_BAD_INPUT;
}
