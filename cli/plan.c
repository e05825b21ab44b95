/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice plan NEW`: who gains and who loses what when NEW takes the place of the policy in force, before anything is
 * applied. Works on files alone: the policy in force is the gateway's file, or the one that --policy names. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/load.h"
#include "cli/world.h"
#include "policy/plan_diff.h"

#include <getopt.h>

static const char help[] =
	"usage: sluice plan NEW [--config FILE] [--policy OLD] [--devices D] [--new-devices D2] [--json]\n\n"
	"Says in words, or as JSON lines, which devices gain and lose what when the policy NEW takes the place of "
	"OLD.\n"
	"OLD and D are the gateway's own files where not named; D2 is D where not named. Nothing is "
	"applied.\n" WORLD_HELP
	"Exit status: 0 done, whether something changes or not; 1 an input is wrong; 2 usage.\n";

struct options {
	const char *config, *policy, *devices, *new_devices, *new_policy;
	struct world_options world;
	bool json;
};

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "policy", required_argument, NULL, 'p' },
		{ "devices", required_argument, NULL, 'd' },
		{ "new-devices", required_argument, NULL, 'n' },
		WORLD_LONGS,
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:p:d:n:jh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			ret->config = optarg;
			break;
		case 'p':
			ret->policy = optarg;
			break;
		case 'd':
			ret->devices = optarg;
			break;
		case 'n':
			ret->new_devices = optarg;
			break;
		case 'j':
			ret->json = true;
			break;
		default:
			if (world_option(&ret->world, opt, optarg))
				break;
			fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	if (argc - optind != 1) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	ret->new_policy = argv[optind];
	return -1;
}

/* One side: documents and their plan. Both are compiled for the same moment, so that no clock makes a difference. */
struct side {
	struct cli_policy docs;
	struct world world;
	struct plan *plan;
};

static void side_done(struct side *s)
{
	plan_freep(&s->plan);
	world_done(&s->world);
	cli_policy_done(&s->docs);
}

/* Without --at everything that has a schedule is compared as if it were in force. */
static int side_load(const char *policy, const char *devices, const struct options *o, int64_t now_s, struct side *ret)
{
	struct err e = { 0 };
	bool json = o->json;
	int r = cli_policy_load(policy, devices, &ret->docs);

	if (r == 0)
		r = world_load(&ret->world, ret->docs.policy, policy, &o->world, &e);
	if (e.code != 0)
		fprintf(stderr, "sluice plan: %s\n", e.msg);
	if (o->world.at == NULL)
		ret->world.env.now_s = now_s;
	if (r == 0)
		r = plan_compile(ret->docs.policy, ret->docs.devices, &ret->world.env, &ret->docs.diags, &ret->plan);
	/* Warnings go to people only: the JSON lines on stdout are changes, or errors. */
	if (ret->docs.mem != NULL && (r < 0 || !json))
		cli_policy_print(&ret->docs, json ? CLI_JSON : CLI_TEXT);
	return r;
}

static int compare(const struct options *o)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	CLEANUP(side_done) struct side from = { 0 };
	CLEANUP(side_done) struct side to = { 0 };
	int64_t now_s = cli_compile_env().now_s;
	struct plan_diff diff = { 0 };
	struct err e = { 0 };
	int r = mem == NULL ? -ENOMEM : side_load(o->policy, o->devices, o, now_s, &from);

	if (r == 0)
		r = side_load(o->new_policy, o->new_devices != NULL ? o->new_devices : o->devices, o, now_s, &to);
	if (r == 0)
		r = plan_diff(from.plan, to.plan, mem, &diff, &e);
	if (r == 0 && o->json)
		r = plan_diff_print_json(&diff, stdout);
	else if (r == 0)
		plan_diff_print(&diff, from.plan, to.plan, stdout);
	if (r == -ENOMEM)
		fputs("sluice plan: out of memory\n", stderr);
	return r == 0 && fflush(stdout) == 0 ? CLI_OK : CLI_BAD_INPUT;
}

int cmd_plan(int argc, char **argv)
{
	struct cli_gateway g = { 0 };
	struct options o = { 0 };
	int exit_code = options_parse(argc, argv, &o);

	if (exit_code >= 0)
		return exit_code;
	if (o.policy == NULL || o.devices == NULL) {
		if (cli_gateway_load(o.config, &g) < 0)
			return CLI_BAD_INPUT;
		o.policy = o.policy != NULL ? o.policy : g.doc->policy_file;
		if (o.world.gateway == NULL)
			o.world.gateway = g.file;
		o.devices = o.devices != NULL ? o.devices : g.doc->devices_file;
	}
	exit_code = compare(&o);
	if (g.doc != NULL)
		cli_gateway_done(&g);
	return exit_code;
}
