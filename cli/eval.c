/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice eval`: verdicts of the reference evaluator on packets, JSON lines in and out, in order. */
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/world.h"
#include "policy/evaluate.h"
#include "policy/schedule.h"
#include "policy/services.h"

#include <cjson/cJSON.h>
#include <getopt.h>

#define EVAL_LINE_MAX_BYTES 8192 /* an object of five short members; a name is 1 KB at most */

static const char eval_help[] =
	"usage: sluice eval --policy P --devices D [--json] [--at T] [--geo FILE] …\n\n"
	"Reads packets as JSON, one a line, and prints a verdict for each:\n"
	"  "
	"{\"src\":\"100.64.0.7\",\"dst\":\"203.0.113.9\",\"proto\":\"tcp\",\"port\":443,\"name\":\"deb.debian.org\"}\n"
	"  {\"verdict\":\"accept\",\"rule\":\"/grants/0\",\"reason\":\"…\"}\n"
	"name is optional: the name that the client resolved. A line that is wrong gives "
	"{\"error\":\"…\"}.\n" WORLD_HELP "Exit status: 0 done, 1 wrong input, 2 usage.\n";

struct options {
	const char *policy, *devices;
	struct world_options world;
};

/* A packet and the name that it borrows. */
struct question {
	struct packet pkt;
	struct dname name;
};

static const char *const action_words[] = {
	[PLAN_ACCEPT] = "accept",
	[PLAN_DROP] = "drop",
	[PLAN_REJECT] = "reject",
};
static_assert(ARRAY_LEN(action_words) == PLAN_ACTION_MAX, "words");

/* True to go on; otherwise *ret_exit is the exit status. */
static bool options_parse(int argc, char **argv, struct options *ret, int *ret_exit)
{
	static const struct option longs[] = {
		{ "policy", required_argument, NULL, 'p' }, { "devices", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },	    WORLD_LONGS,
		{ "help", no_argument, NULL, 'h' },	    { 0 },
	};
	int opt;

	optind = 1;
	*ret_exit = CLI_USAGE;
	while ((opt = getopt_long(argc, argv, "p:d:jh", longs, NULL)) != -1) {
		switch (opt) {
		case 'p':
			ret->policy = optarg;
			break;
		case 'd':
			ret->devices = optarg;
			break;
		case 'j': /* always */
			break;
		case 'h':
			fputs(eval_help, stdout);
			*ret_exit = CLI_OK;
			return false;
		default:
			if (world_option(&ret->world, opt, optarg))
				break;
			fputs(eval_help, stderr);
			return false;
		}
	}
	if (optind == argc && ret->policy != NULL && ret->devices != NULL)
		return true;
	fputs(eval_help, stderr);
	return false;
}

static int addr_member(const cJSON *o, const char *name, struct ip_addr *ret, struct err *e)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	if (text == NULL || ip_addr_parse(text, ret) < 0)
		return err_set(e, -EINVAL, "%s must be an address", name);
	return 0;
}

static int proto_member(const cJSON *o, uint8_t *ret, struct err *e)
{
	const cJSON *proto = cJSON_GetObjectItemCaseSensitive(o, "proto");

	if (cJSON_IsNumber(proto) && proto->valuedouble >= 1 && proto->valuedouble <= 255 &&
	    proto->valuedouble == (double)proto->valueint) {
		*ret = (uint8_t)proto->valueint;
		return 0;
	}
	if (cJSON_IsString(proto) && proto_lookup(proto->valuestring, ret) == 0)
		return 0;
	return err_set(e, -EINVAL, "proto must be a protocol's name or number");
}

static int port_member(const cJSON *o, uint16_t *ret, struct err *e)
{
	const cJSON *port = cJSON_GetObjectItemCaseSensitive(o, "port");

	*ret = 0;
	if (port == NULL || cJSON_IsNull(port))
		return 0;
	if (!cJSON_IsNumber(port) || !(port->valuedouble >= 0 && port->valuedouble <= 65535) ||
	    port->valuedouble != (double)port->valueint)
		return err_set(e, -EINVAL, "port must be a number from 0 to 65535");
	*ret = (uint16_t)port->valueint;
	return 0;
}

static int question_read(const cJSON *o, struct question *ret, struct err *e)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(o, "name");
	struct packet *pkt = &ret->pkt;

	memset(ret, 0, sizeof(*ret));
	if (!cJSON_IsObject(o))
		return err_set(e, -EINVAL, "a line must be a JSON object");
	if (addr_member(o, "src", &pkt->src, e) < 0 || addr_member(o, "dst", &pkt->dst, e) < 0 ||
	    proto_member(o, &pkt->proto, e) < 0 || port_member(o, &pkt->port, e) < 0)
		return e->code;
	if (!proto_has_ports(pkt->proto))
		pkt->port = 0;
	else if (cJSON_GetObjectItemCaseSensitive(o, "port") == NULL)
		return err_set(e, -EINVAL, "port is missing");
	if (name == NULL || cJSON_IsNull(name))
		return 0;
	if (!cJSON_IsString(name) || dname_parse(name->valuestring, strlen(name->valuestring), &ret->name) < 0)
		return err_set(e, -EINVAL, "name must be a domain name");
	pkt->name = &ret->name;
	return 0;
}

/* One object with these members, printed on a line; values NULL are null. */
static int line_print(const char *const *names, const char *const *values, size_t n)
{
	cJSON *o = cJSON_CreateObject();
	char *text = NULL;
	bool ok = o != NULL;

	for (size_t i = 0; ok && i < n; i++)
		ok = (values[i] != NULL ? cJSON_AddStringToObject(o, names[i], values[i])
					: cJSON_AddNullToObject(o, names[i])) != NULL;
	if (ok)
		text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	if (text == NULL)
		return -ENOMEM;
	puts(text);
	cJSON_free(text);
	return 0;
}

static int error_print(const char *why)
{
	static const char *const names[] = { "error" };

	return line_print(names, &why, 1);
}

/* Prints the answer to one line. 0, -EINVAL after an error object, -ENOMEM. */
static int line_answer(const struct cli_policy *c, const struct compile_env *env, const char *line, size_t len)
{
	static const char *const names[] = { "verdict", "rule", "reason" };
	cJSON *o = cJSON_ParseWithLengthOpts(line, len + 1, NULL, /* require_null_terminated= */ true);
	struct err e = { 0 };
	struct question q;
	struct verdict v = { 0 };
	int r = o != NULL ? question_read(o, &q, &e) : err_set(&e, -EINVAL, "not JSON");

	cJSON_Delete(o);
	if (r < 0) {
		int printed = error_print(e.msg);

		return printed < 0 ? printed : -EINVAL;
	}
	evaluate_packet(c->policy, c->devices, env, &q.pkt, &v);
	return line_print(names,
			  (const char *const[]){ action_words[v.action], v.rule[0] != '\0' ? v.rule : NULL, v.reason },
			  ARRAY_LEN(names));
}

/* A line that does not fit is read to its end and refused. */
static int lines_answer(const struct cli_policy *c, const struct compile_env *env)
{
	char line[EVAL_LINE_MAX_BYTES];
	int result = 0, r;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		size_t len = strlen(line);
		bool whole = (len > 0 && line[len - 1] == '\n') || feof(stdin);

		for (int ch = 0; !whole && ch != '\n' && ch != EOF;)
			ch = getc(stdin);
		if (whole && line[strspn(line, " \t\r\n")] == '\0')
			continue;
		r = whole ? line_answer(c, env, line, len) : error_print("line too long");
		if (r == -ENOMEM)
			return r;
		if (r < 0 || !whole)
			result = -EINVAL;
	}
	return ferror(stdin) ? -EIO : result;
}

int cmd_eval(int argc, char **argv)
{
	CLEANUP(world_done) struct world w = { 0 };
	struct options o = { 0 };
	struct err e = { 0 };
	struct cli_policy c;
	int exit_code, r;

	if (!options_parse(argc, argv, &o, &exit_code))
		return exit_code;
	r = cli_policy_load(o.policy, o.devices, &c);
	if (r == 0)
		r = world_load(&w, c.policy, o.policy, &o.world, &e);
	if (r == 0 && w.env.at_s == 0)
		w.env.at_s = w.env.now_s;
	if (r == 0)
		r = schedule_check(c.policy, &w.env, &c.diags);
	if (e.code != 0)
		fprintf(stderr, "sluice eval: %s\n", e.msg);
	if (r < 0) {
		if (c.mem != NULL)
			cli_policy_print(&c, CLI_TEXT);
	} else {
		/* Whoever asks line by line waits for the answer to each. */
		(void)setvbuf(stdout, NULL, _IOLBF, 0);
		r = lines_answer(&c, &w.env);
	}
	if (r < 0 && r != -EINVAL && e.code == 0)
		fprintf(stderr, "sluice: eval: %s\n", strerror(-r));
	cli_policy_done(&c);
	return r == 0 && fflush(stdout) == 0 ? CLI_OK : CLI_BAD_INPUT;
}
