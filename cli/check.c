/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice check`: everything that can be found wrong with a policy without a gateway, the policy's own tests included.
 */
#include "cli/cli.h"
#include "cli/judge.h"
#include "policy/evaluate.h"

#include <getopt.h>

static const char check_help[] =
	"usage: sluice check --policy P [--devices D] [--json] [--at T] [--geo FILE] …\n\n"
	"Finds the errors of a policy and runs its tests. Without --devices the tests are not run. Tests without "
	"\"at\"\n"
	"are run with everything that has a schedule in force, or at the time of --at.\n" WORLD_HELP
	"--json prints one object a line to standard output: file, line, col, level, code, message.\n"
	"Exit status: 0 no error, 1 errors or failed tests, 2 usage.\n";

struct options {
	const char *policy, *devices;
	enum cli_output output;
	struct world_options world;
};

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
		case 'j':
			ret->output = CLI_JSON;
			break;
		case 'h':
			fputs(check_help, stdout);
			*ret_exit = CLI_OK;
			return false;
		default:
			if (world_option(&ret->world, opt, optarg))
				break;
			fputs(check_help, stderr);
			return false;
		}
	}
	if (optind == argc && ret->policy != NULL)
		return true;
	fputs(check_help, stderr);
	return false;
}

static void tests_run(struct judge *j)
{
	const struct doc_policy *p = j->docs.policy;
	struct diag_list *diags = &j->docs.diags;

	if (p->n_tests + p->n_ssh_tests == 0)
		return;
	if (!j->docs.has_devices)
		(void)diag_add(diags, DIAG_NOTE, "P1006", p->src,
			       p->n_tests != 0 ? p->tests[0].span : p->ssh_tests[0].span,
			       "%u tests not run: they need the device list (--devices)", p->n_tests + p->n_ssh_tests);
	else
		(void)evaluate_tests(p, j->docs.devices, &j->world.env, j->plan, judge_dns_test, j, diags);
}

int cmd_check(int argc, char **argv)
{
	CLEANUP(judge_done) struct judge j = { 0 };
	struct judge_options jo = { 0 };
	struct options o = { 0 };
	struct err e = { 0 };
	int exit_code, r;

	if (!options_parse(argc, argv, &o, &exit_code))
		return exit_code;
	jo.policy = o.policy;
	jo.devices = o.devices;
	jo.world = o.world;
	jo.lenient = true;
	r = judge_init(&j, &jo, &e);
	if (r == 0)
		tests_run(&j);
	else if (j.docs.diags.n_errors == 0)
		fprintf(stderr, "sluice check: %s\n", e.msg);
	if (j.docs.mem != NULL)
		cli_policy_print(&j.docs, o.output);
	return r == 0 && j.docs.diags.n_errors == 0 ? CLI_OK : CLI_BAD_INPUT;
}
