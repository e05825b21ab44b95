/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice`: finds the command and calls it. */
#include "cli/cli.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args, *what;
};

static const struct command commands[] = {
	{ "check", cmd_check, "--policy P [--devices D] [--json] [--at T]",
	  "find the errors of a policy and run its tests" },
	{ "fmt", cmd_fmt, "[--check] FILE…", "lay out policy, device and gateway files; comments are kept" },
	{ "eval", cmd_eval, "--policy P --devices D [--at T] [--geo FILE] …",
	  "verdicts on packets, JSON lines in and out" },
	{ "dns-eval", cmd_dns_eval, "--policy P --devices D [--list NAME=FILE …]",
	  "verdicts on names, JSON lines in and out" },
	{ "compile", cmd_compile, "--policy P --devices D --format nft|plan|views|log",
	  "what a policy becomes: kernel program, plan, DNS views, log plan" },
	{ "plan", cmd_plan, "NEW [--policy OLD] [--devices D] [--new-devices D2] [--json]",
	  "who gains and who loses what by a new policy" },
	{ "list-compile", cmd_list_compile, "FILE… -o OUT", "compile block lists to one file" },
	{ "list-match", cmd_list_match, "OUT", "look up names (one a line) in a compiled file" },
	{ "lists", cmd_lists, "[update [--force] [NAME…] | report [--policy P]] [--json]",
	  "the lists in force: rules, age, downloads; download them now; which are of use" },
	{ "services", cmd_services, "[--json] [NAME]", "services that a filter may block, engines with safe search" },
	{ "explain", cmd_explain, "[--at T] DEVICE NAME|ADDRESS [PORT[/PROTO]]",
	  "why a device may or may not reach something" },
	{ "doctor", cmd_doctor, "[--json] [--probe DEVICE ADDRESS [PORT[/PROTO]]]",
	  "what is wrong with this host, and where packets end" },
	{ "flows", cmd_flows, "[--device D] [--since T] [--verify] …", "recorded flows, one a line" },
	{ "queries", cmd_queries, "[--device D] [--name N] [--list L] [--blocked] [--since T] [--follow] …",
	  "recorded DNS questions, one a line" },
	{ "top", cmd_top, "[--by name|device|list|type|rule] [--limit N] [--blocked] [--since T] …",
	  "the most frequent of the recorded questions" },
	{ "drops", cmd_drops, "[--follow] [--device D] [--json]", "what was just refused, and by which rule" },
	{ "rules", cmd_rules, "[--json]", "what each rule has decided about: packets and bytes" },
	{ "dns", cmd_dns, "status | cache [NAME [TYPE]] | flush NAME [--below] | lookup NAME [TYPE] --device D",
	  "the resolver: questions, times and upstreams; its cache; what a device would be answered" },
	{ "allow", cmd_allow, "NAME [--below] [--for 10m] [--device D] | --list | --end ID|NAME",
	  "let a blocked name pass for a while" },
	{ "pause", cmd_pause, "[--for 10m] [--device D] | --list | --end ID|DEVICE|all",
	  "block no names for a while; what the policy denies stays denied" },
	{ "status", cmd_status, "[--json]", "what the running gateway is doing" },
	{ "reload", cmd_reload, "[--json]", "check the policy files and put them into force" },
	{ "netfilter", cmd_netfilter, "[on|nodivert|off]", "how much of netfilter the gateway uses" },
	{ "quarantine", cmd_quarantine, "[--release] [--json] DEVICE",
	  "let nothing of a device pass any more, and cut what it has open; or again" },
};

static void usage(FILE *out)
{
	fputs("usage: sluice [--config FILE] COMMAND [ARGUMENTS]\n\n", out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-13s %s\n  %-13s   %s\n", commands[i].name, commands[i].what, "", commands[i].args);
	fputs("\n--config FILE   the gateway's settings, for the commands that ask it or change it\n"
	      "                (default " CLI_CONFIG_DEFAULT ", or $SLUICE_CONFIG)\n"
	      "'sluice COMMAND --help' describes one command; sluice(1) has all of it.\n"
	      "Exit status: 0 done, 1 the input is wrong or the answer is no, 2 usage.\n",
	      out);
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *c;
	int first = 1;

	while (first < argc && argv[first][0] == '-') {
		if (strcmp(argv[first], "--help") == 0 || strcmp(argv[first], "-h") == 0) {
			usage(stdout);
			return CLI_OK;
		}
		if (strcmp(argv[first], "--version") == 0) {
			puts("sluice " SLUICE_VERSION);
			return CLI_OK;
		}
		if (strcmp(argv[first], "--config") != 0 || first + 1 >= argc)
			break;
		/* The environment is how each command finds it, so that the option works before and after the name. */
		if (setenv("SLUICE_CONFIG", argv[first + 1], 1) == -1)
			return CLI_BAD_INPUT;
		first += 2;
	}
	if (first >= argc) {
		usage(stderr);
		return CLI_USAGE;
	}
	c = command_find(argv[first]);
	if (c == NULL) {
		fprintf(stderr, "sluice: '%s' is no command; 'sluice --help' lists them\n", argv[first]);
		return CLI_USAGE;
	}
	return c->run(argc - first, argv + first);
}
