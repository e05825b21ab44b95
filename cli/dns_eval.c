/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice dns-eval`: what a device would be answered, by the same compiler, lists and verdict as the gateway's. JSON
 * lines in and out. Local networks of the machine that runs this have no part in it. */
#include "cli/cli.h"
#include "cli/judge.h"
#include "filter/blocking.h"

#include <cjson/cJSON.h>
#include <getopt.h>

static const char help[] =
	"usage: sluice dns-eval --policy P --devices D [--list NAME=FILE …] [--lists-dir DIR]\n\n"
	"Each line of standard input: {\"src\":\"100.64.0.7\",\"name\":\"ads.example\",\"type\":\"A\",\"answers\":\n"
	"[{\"type\":\"CNAME\",\"value\":\"t.example\"},…]}; answers are what the upstream would say, and optional.\n"
	"Each line of output: "
	"{\"verdict\":\"pass\"|\"block\"|\"rewrite\",\"list\",\"line\",\"rule\",\"values\",\"rcode\"}.\n"
	"Lists are taken from --list, else from the policy's \"file\", relative to DIR or to the policy.\n"
	"--at T judges schedules at this time (2027-01-31T18:00:00Z) instead of now.\n";

/* One question as it was asked. */
struct question {
	struct ip_addr src;
	struct dname name;
	uint16_t type; /* 0: one that we have no number for */
	const char *type_text;
	const cJSON *answers; /* array or NULL */
};

static uint16_t type_number(const char *text)
{
	static const uint16_t types[] = { RECORD_A,   RECORD_AAAA,  RECORD_CNAME, RECORD_PTR,  RECORD_MX, RECORD_TXT,
					  RECORD_SRV, RECORD_NAPTR, RECORD_SSHFP, RECORD_TLSA, RECORD_CAA };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcasecmp(text, record_type_name(types[i])) == 0)
			return types[i];
	return 0;
}

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
	ret->type_text = type != NULL ? type->valuestring : "A";
	ret->type = type_number(ret->type_text);
	ret->answers = cJSON_GetObjectItemCaseSensitive(line, "answers");
	if (ret->answers != NULL && !cJSON_IsArray(ret->answers))
		return "answers: not an array";
	return NULL;
}

static const char *answer_member(const cJSON *answer, const char *name)
{
	const cJSON *j = cJSON_GetObjectItemCaseSensitive(answer, name);

	return cJSON_IsString(j) ? j->valuestring : "";
}

/* The question, then each CNAME target in order: the first that does not pass decides. */
static void decide(const struct verdict_ask *ask, const struct question *q, struct name_verdict *ret)
{
	struct name_verdict asked;
	const cJSON *answer;

	verdict_name(ask, &q->name, &asked);
	*ret = asked;
	if (ret->verdict != DNS_PASS)
		return;
	cJSON_ArrayForEach(answer, q->answers)
	{
		const char *target = answer_member(answer, "value");
		struct name_verdict v;
		struct dname name;

		if (strcasecmp(answer_member(answer, "type"), "CNAME") != 0 ||
		    dname_parse(target, strlen(target), &name) < 0)
			continue;
		verdict_target(ask, &asked, &name, RECORD_CNAME, &v);
		if (v.verdict != DNS_BLOCK)
			continue;
		*ret = v;
		return;
	}
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

static void add_records(const struct views *v, const struct question *q, cJSON *values)
{
	struct local_answer a;

	if (!records_answer(v->records, &q->name, q->type, &a))
		return;
	for (uint32_t i = 0; i < a.n; i++)
		if (a.records[i].type == q->type)
			add_data(values, &a.records[i]);
}

static void add_passed(const struct question *q, cJSON *values)
{
	const cJSON *answer;

	cJSON_ArrayForEach(answer, q->answers) if (strcasecmp(answer_member(answer, "type"), q->type_text) == 0)
		cJSON_AddItemToArray(values, cJSON_CreateString(answer_member(answer, "value")));
}

/* The values and rcode that the client would see. */
static const char *add_values(const struct judge *j, const struct view *view, const struct question *q,
			      const struct name_verdict *v, cJSON *values)
{
	struct blocked_answer blocked;

	switch (v->verdict) {
	case DNS_PASS:
	case DNS_VERDICT_MAX:
		add_passed(q, values);
		return "NOERROR";
	case DNS_REWRITE:
		add_records(j->views, q, values);
		return "NOERROR";
	case DNS_BLOCK:
		break;
	}
	blocked = blocked_answer(view, v, q->type);
	if (blocked.addr.family != IP_NONE)
		add_addr(values, &blocked.addr);
	return blocked.rcode == BLOCKING_RCODE_NXDOMAIN	 ? "NXDOMAIN"
	       : blocked.rcode == BLOCKING_RCODE_REFUSED ? "REFUSED"
							 : "NOERROR";
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
	decide(&ask, q, &v);
	add_verdict(out, verdicts[v.verdict], &v);
	values = cJSON_AddArrayToObject(out, "values");
	rcode = add_values(j, view, q, &v, values);
	cJSON_AddStringToObject(out, "rcode", rcode);
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
