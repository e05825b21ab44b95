/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice dns-eval`: what a device would be answered, by the same compiler, lists and verdict as the gateway's. JSON
 * lines in and out. Local networks of the machine that runs this have no part in it. */
#include "cli/cli.h"
#include "cli/dns_answers.h"
#include "cli/dns_type.h"
#include "cli/judge.h"
#include "filter/blocking.h"
#include "filter/rewrite.h"

#include <getopt.h>
#include <ldns/ldns.h>

static const char help[] =
	"usage: sluice dns-eval --policy P --devices D [--list NAME=FILE …] [--lists-dir DIR]\n\n"
	"Each line of standard input: {\"src\":\"100.64.0.7\",\"name\":\"ads.example\",\"type\":\"A\",\"answers\":\n"
	"[{\"type\":\"CNAME\",\"value\":\"t.example\"},…]}; answers are what the upstream would say, and optional: "
	"the\n"
	"names and addresses that they lead to are judged, too. Types by name or as TYPE65.\n"
	"Each line of output: "
	"{\"verdict\":\"pass\"|\"block\"|\"rewrite\",\"list\",\"line\",\"rule\",\"values\",\"rcode\"}.\n"
	"Lists are taken from --list, else from the policy's \"file\", relative to DIR or to the policy.\n"
	"--at T judges schedules at this time (2027-01-31T18:00:00Z) instead of now.\n";

/* One question as it was asked. */
struct question {
	struct ip_addr src;
	struct dname name;
	uint16_t type;	      /* 0: one that we have no number for */
	const cJSON *answers; /* array or NULL */
};

static const char *question_parse(const cJSON *line, struct question *ret)
{
	const cJSON *src = cJSON_GetObjectItemCaseSensitive(line, "src");
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(line, "name");
	const cJSON *type = cJSON_GetObjectItemCaseSensitive(line, "type");

	if (!cJSON_IsObject(line))
		return "not a JSON object";
	if (!cJSON_IsString(src) || ip_addr_parse(src->valuestring, &ret->src) < 0)
		return "src: not an address";
	if (!cJSON_IsString(name) || dname_parse(name->valuestring, strlen(name->valuestring), &ret->name) < 0)
		return "name: not a domain name";
	if (type != NULL && !cJSON_IsString(type))
		return "type: not a string";
	ret->type = dns_type_parse(type != NULL ? type->valuestring : "A");
	ret->answers = cJSON_GetObjectItemCaseSensitive(line, "answers");
	if (ret->answers != NULL && !cJSON_IsArray(ret->answers))
		return "answers: not an array";
	return NULL;
}

static void add_addr(cJSON *values, const struct ip_addr *addr)
{
	char text[IP_TEXT_MAX];

	cJSON_AddItemToArray(values, cJSON_CreateString(ip_addr_print(addr, text)));
}

/* A record's data: addresses and names as such, of other types as the plan has it. */
static void add_data(cJSON *values, const struct plan_record *record)
{
	struct rcur c = rcur_over(record->data, record->data_len);
	char text[DNAME_TEXT_MAX];
	struct dname name;

	if (record->addr.family != IP_NONE) {
		add_addr(values, &record->addr);
		return;
	}
	if ((record->type == RECORD_CNAME || record->type == RECORD_PTR) &&
	    dname_read(&c, record->data, record->data_len, &name) == 0)
		cJSON_AddItemToArray(values, cJSON_CreateString(dname_print(&name, text)));
	else if (record->text != NULL)
		cJSON_AddItemToArray(values, cJSON_CreateString(record->text));
}

static void add_bare(cJSON *values, char *text)
{
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
		text[len - 1] = '\0';
		text++;
	} else if (len > 1 && text[len - 1] == '.') {
		text[len - 1] = '\0'; /* names without their last dot, as everywhere here */
	}
	cJSON_AddItemToArray(values, cJSON_CreateString(text));
}

/* All data of a record, a blank between two. NULL: no memory. free() it. */
static char *rdata_text(const ldns_rr *rr)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; out != NULL && i < ldns_rr_rd_count(rr); i++) {
		char *one = ldns_rdf2str(ldns_rr_rdf(rr, i));

		fprintf(out, "%s%s", i > 0 ? " " : "", one != NULL ? one : "?");
		free(one);
	}
	if (out == NULL || fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void add_records(const struct views *v, const struct question *q, cJSON *values)
{
	struct local_answer a;

	if (!records_answer(v->records, &q->name, q->type, &a))
		return;
	for (uint32_t i = 0; i < a.n; i++)
		if (a.records[i].type == q->type)
			add_data(values, &a.records[i]);
}

/* A record's data as in a zone file; texts without their quotes. */
static void add_wire(cJSON *values, const struct rewrite_record *record)
{
	uint8_t wire[11 + LIST_TERMS_MAX] = { 0 }; /* the root's name, type, class, TTL, length, then data */
	ldns_rr *rr = NULL;
	size_t at = 0;
	char *text;

	wire[1] = (uint8_t)(record->type >> 8);
	wire[2] = (uint8_t)record->type;
	wire[4] = 1; /* IN */
	wire[9] = (uint8_t)(record->len >> 8);
	wire[10] = (uint8_t)record->len;
	memcpy(wire + 11, record->data, record->len);
	if (ldns_wire2rr(&rr, wire, 11u + record->len, &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
		return;
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		text = ldns_rdf2str(ldns_rr_rdf(rr, i));
		if (text != NULL && ldns_rr_rd_count(rr) == 1)
			add_bare(values, text);
		free(text);
	}
	if (ldns_rr_rd_count(rr) > 1) {
		text = rdata_text(rr);
		if (text != NULL)
			cJSON_AddItemToArray(values, cJSON_CreateString(text));
		free(text);
	}
	ldns_rr_free(rr);
}

static const char *rcode_name(uint8_t rcode)
{
	return rcode == BLOCKING_RCODE_NXDOMAIN	  ? "NXDOMAIN"
	       : rcode == BLOCKING_RCODE_REFUSED  ? "REFUSED"
	       : rcode == BLOCKING_RCODE_SERVFAIL ? "SERVFAIL"
						  : "NOERROR";
}

/* NULL: nothing is answered. */
static const char *add_blocked(const struct view *view, const struct question *q, const struct name_verdict *v,
			       cJSON *values)
{
	const struct blocked_answer blocked = blocked_answer(view, v, q->type);

	if (blocked.addr.family != IP_NONE)
		add_addr(values, &blocked.addr);
	return blocked.drop ? NULL : rcode_name(blocked.rcode);
}

/* By rules: another name, an answer code, or records of the type that is asked for. */
static const char *add_rewritten(const struct judge *j, const struct view *view, const struct question *q,
				 struct name_verdict *v, cJSON *values)
{
	char text[DNAME_TEXT_MAX];
	struct rewrite_record record;
	struct rewrite_at at = { 0 };
	struct rewrite to;

	rewrite_choose(v, j->views, &q->name, &to);
	switch (to.kind) {
	case REWRITE_NOTHING:
		v->verdict = DNS_PASS;
		break;
	case REWRITE_ALIAS:
		cJSON_AddItemToArray(values, cJSON_CreateString(dname_print(&to.target, text)));
		break;
	case REWRITE_ANSWER:
		v->answer = to.answer;
		return add_blocked(view, q, v, values);
	case REWRITE_RECORDS:
		while (rewrite_record_next(v, &at, &record))
			if (record.type == q->type)
				add_wire(values, &record);
		break;
	case REWRITE_KIND_MAX:
		break;
	}
	return "NOERROR";
}

/* The values and rcode that the client would see; NULL: nothing is answered. A pass may become a block by what the
 * answer leads to. */
static const char *add_values(const struct judge *j, const struct verdict_ask *ask, const struct question *q,
			      struct name_verdict *v, cJSON *values)
{
	struct name_verdict asked = *v;

	switch (v->verdict) {
	case DNS_PASS:
	case DNS_VERDICT_MAX:
		dns_answers_judge(ask, &asked, q->answers, q->type, v, values);
		if (v->verdict != DNS_BLOCK)
			return "NOERROR";
		while (cJSON_GetArraySize(values) > 0)
			cJSON_DeleteItemFromArray(values, 0);
		return add_blocked(ask->view, q, v, values);
	case DNS_REWRITE:
		if (v->by != VERDICT_BY_RECORDS)
			return add_rewritten(j, ask->view, q, v, values);
		add_records(j->views, q, values);
		return "NOERROR";
	case DNS_BLOCK:
		break;
	}
	return add_blocked(ask->view, q, v, values);
}

static void add_verdict(cJSON *out, const char *verdict, const struct name_verdict *v)
{
	char rule[VERDICT_RULE_MAX];

	cJSON_AddStringToObject(out, "verdict", verdict);
	if (v != NULL && v->list != NULL) {
		cJSON_AddStringToObject(out, "list", v->list);
		cJSON_AddNumberToObject(out, "line", v->line);
		cJSON_AddStringToObject(out, "rule", verdict_rule(v, rule, sizeof(rule)));
		return;
	}
	cJSON_AddNullToObject(out, "list");
	cJSON_AddNullToObject(out, "line");
	cJSON_AddNullToObject(out, "rule");
}

/* A source that dnsd would refuse: unknown, or known and not active. */
static void answer_stranger(const struct judge *j, const struct question *q, cJSON *out)
{
	const struct plan_device *device = plan_device_find(j->plan, &q->src);

	add_verdict(out, "block", NULL);
	cJSON_AddItemToObject(out, "values", cJSON_CreateArray());
	cJSON_AddStringToObject(out, "rcode", "REFUSED");
	cJSON_AddStringToObject(out, "reason", device == NULL ? "unknown device" : "device is not active");
}

static void answer_question(const struct judge *j, const struct question *q, cJSON *out)
{
	static const char *const verdicts[DNS_VERDICT_MAX] = { "pass", "block", "rewrite" };
	const struct view_client *client = views_client(j->views, &q->src);
	const struct view *view;
	struct verdict_ask ask;
	struct name_verdict v;
	const char *rcode;
	cJSON *values;

	if (client == NULL) {
		answer_stranger(j, q, out);
		return;
	}
	view = &j->views->views[client->view];
	ask = (struct verdict_ask){ .views = j->views, .view = view, .client = client, .type = q->type };
	verdict_name(&ask, &q->name, &v);
	values = cJSON_CreateArray();
	rcode = add_values(j, &ask, q, &v, values);
	add_verdict(out, verdicts[v.verdict], &v);
	cJSON_AddItemToObject(out, "values", values);
	if (rcode != NULL) {
		cJSON_AddStringToObject(out, "rcode", rcode);
	} else {
		cJSON_AddNullToObject(out, "rcode");
		cJSON_AddStringToObject(out, "reason", "not answered at all");
	}
	if (v.verdict == DNS_BLOCK && v.answer == LIST_ANSWER_TCP_ONLY)
		cJSON_AddStringToObject(out, "reason", "answered over TCP only, as if there were no rule");
}

/* Negative: no memory. 0: answered. 1: the line is wrong, which is the answer. */
static int eval_line(const struct judge *j, const char *text, size_t len)
{
	cJSON *line = cJSON_ParseWithLength(text, len), *out = cJSON_CreateObject();
	struct question q = { 0 };
	const char *why = question_parse(line, &q);
	char *printed;

	if (why != NULL)
		cJSON_AddStringToObject(out, "error", why);
	else
		answer_question(j, &q, out);
	printed = cJSON_PrintUnformatted(out);
	cJSON_Delete(out);
	cJSON_Delete(line);
	if (printed == NULL)
		return -ENOMEM;
	puts(printed);
	cJSON_free(printed);
	return why != NULL ? 1 : 0;
}

static int eval_all(const struct judge *j)
{
	CLEANUP(freep) char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int code = CLI_OK;

	while ((len = getline(&line, &cap, stdin)) != -1) {
		int r;

		if (line[strspn(line, " \t\r\n")] == '\0')
			continue;
		r = eval_line(j, line, (size_t)len);
		if (r < 0) {
			fputs("sluice dns-eval: no memory\n", stderr);
			return CLI_BAD_INPUT;
		}
		if (r > 0)
			code = CLI_BAD_INPUT;
	}
	return ferror(stdin) != 0 || fflush(stdout) != 0 ? CLI_BAD_INPUT : code;
}

static int usage(int code)
{
	fputs(help, code == CLI_OK ? stdout : stderr);
	return code;
}

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct judge_options *ret)
{
	static const struct option longs[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "devices", required_argument, NULL, 'd' },
		{ "list", required_argument, NULL, 'l' },
		{ "lists-dir", required_argument, NULL, 'L' },
		WORLD_LONGS,
		{ "json", no_argument, NULL, 'j' }, /* it is JSON in any case */
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (opt == 'p')
			ret->policy = optarg;
		else if (opt == 'd')
			ret->devices = optarg;
		else if (opt == 'L')
			ret->lists_dir = optarg;
		else if (opt == 'l' && strchr(optarg, '=') != NULL && ret->n_lists < LISTS_MAX)
			ret->lists[ret->n_lists++] = optarg;
		else if (opt != 'j' && !world_option(&ret->world, opt, optarg))
			return usage(opt == 'h' ? CLI_OK : CLI_USAGE);
	}
	return ret->policy == NULL || ret->devices == NULL || optind != argc ? usage(CLI_USAGE) : -1;
}

int cmd_dns_eval(int argc, char **argv)
{
	CLEANUP(judge_done) struct judge j = { 0 };
	struct judge_options o = { 0 };
	struct err e = { 0 };
	int r = options_parse(argc, argv, &o);

	if (r >= 0)
		return r;
	/* Names are judged without what geo:, asn: and iplist: stand for. */
	o.lenient = true;
	o.now = true;
	if (judge_init(&j, &o, &e) < 0) {
		cli_policy_print(&j.docs, CLI_TEXT);
		fprintf(stderr, "sluice dns-eval: %s\n", e.msg);
		return CLI_BAD_INPUT;
	}
	if (j.missing != NULL)
		fprintf(stderr, "sluice dns-eval: list %s is not there; nothing on it applies\n", j.missing);
	return eval_all(&j);
}
