/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice compile`: what a policy becomes, as text: the kernel's program, the plan, DNS views, the log plan. */
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/world.h"
#include "policy/lower_dns.h"
#include "policy/lower_log.h"
#include "policy/lower_nft.h"

#include <getopt.h>

#define COMPILE_GENERATION 1 /* what is printed is nobody's second plan */

static const char compile_help[] =
	"usage: sluice compile --policy P --devices D --format nft|plan|views|log [--gateway G]\n\n"
	"Prints what a policy becomes: nft what `nft -c -f` accepts, plan the plan as text, views what the\n"
	"resolver works by, log what the recorder works by. --gateway names the host's settings; without it\n"
	"the tunnel is wg0 with 100.64.0.0/10 and WireGuard's port 51820, DNS is captured to port 53, and each\n"
	"egress is an interface of that name.\n" WORLD_HELP "Exit status: 0 done, 1 wrong input, 2 usage.\n";

struct options {
	const char *policy, *devices, *format;
	struct world_options world;
};

/* The host's settings, as far as they show in what is printed. In an arena. */
struct host {
	struct nft_env nft;
	const struct plan_upstream *upstreams;
	uint32_t n_upstreams;
};

/* True to go on; otherwise *ret_exit is the exit status. */
static bool options_parse(int argc, char **argv, struct options *ret, int *ret_exit)
{
	static const struct option longs[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "devices", required_argument, NULL, 'd' },
		WORLD_LONGS,
		{ "format", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	*ret_exit = CLI_USAGE;
	while ((opt = getopt_long(argc, argv, "p:d:g:f:jh", longs, NULL)) != -1) {
		switch (opt) {
		case 'p':
			ret->policy = optarg;
			break;
		case 'd':
			ret->devices = optarg;
			break;
		case 'g':
			ret->world.gateway = optarg;
			break;
		case 'f':
			ret->format = optarg;
			break;
		case 'j': /* each format is what it is */
			break;
		case 'h':
			fputs(compile_help, stdout);
			*ret_exit = CLI_OK;
			return false;
		default:
			if (world_option(&ret->world, opt, optarg))
				break;
			fputs(compile_help, stderr);
			return false;
		}
	}
	if (optind == argc && ret->policy != NULL && ret->devices != NULL && ret->format != NULL)
		return true;
	fputs(compile_help, stderr);
	return false;
}

static int host_from_gateway(struct arena *mem, const struct doc_gateway *g, struct host *ret)
{
	struct ip_prefix *nets = arena_array(mem, g->tunnel.n_addresses, sizeof(*nets));

	if (nets == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->tunnel.n_addresses; i++) {
		nets[i].len = g->tunnel.addresses[i].len;
		nets[i].addr = ip_prefix_range(&g->tunnel.addresses[i]).first;
	}
	ret->nft.tunnel = g->tunnel.interface;
	ret->nft.tunnel_nets = nets;
	ret->nft.n_tunnel_nets = g->tunnel.n_addresses;
	ret->nft.tunnel_port = g->tunnel.existing ? 0 : g->tunnel.listen_port;
	ret->nft.dns_port = g->dns_port;
	ret->nft.tls_ports = g->tls_ports;
	ret->nft.n_tls_ports = g->n_tls_ports;
	ret->nft.dns_capture = g->dns_capture;
	ret->nft.egress = &g->egress;
	ret->nft.routed = g->routed;
	ret->nft.n_routed = g->n_routed;
	ret->upstreams = g->upstreams;
	ret->n_upstreams = g->n_upstreams;
	return 0;
}

/* @file NULL: the defaults. Errors are in @c's diagnostics. */
static int host_load(struct cli_policy *c, const char *file, struct host *ret)
{
	static const struct ip_prefix cgnat = { .addr = { .family = IP_V4, .bytes = { 100, 64 } }, .len = 10 };
	struct doc_gateway *g;
	struct source *src;

	*ret = (struct host){ .nft = { .tunnel = "wg0",
				       .tunnel_nets = &cgnat,
				       .n_tunnel_nets = 1,
				       .tunnel_port = 51820,
				       .dns_port = 53,
				       .dns_capture = true,
				       .hooks = true,
				       .log_drops = true } };
	if (file == NULL)
		return 0;
	src = cli_source_load(c->mem, file, &c->diags);
	g = src != NULL ? document_gateway(c->mem, src, &c->diags) : NULL;
	return g != NULL ? host_from_gateway(c->mem, g, ret) : -EINVAL;
}

static int egress_cmp(const void *a, const void *b)
{
	const struct egress *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Without the host's settings: each way out that a rule names is an interface of that name. */
static int egress_guess(struct arena *mem, const struct plan *plan, struct egress_list *ret)
{
	struct egress *items = arena_array(mem, (size_t)plan->n_rules + 1, sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	*ret = (struct egress_list){ .items = items };
	for (uint32_t i = 0; i < plan->n_rules; i++) {
		const char *name = plan->rules[i].egress;

		if (name != NULL && ret->n < EGRESS_MAX && egress_find(ret, name) == NULL)
			items[ret->n++] =
				(struct egress){ .name = name, .interface = arena_printf(mem, "%.15s", name) };
	}
	qsort(items, ret->n, sizeof(*items), egress_cmp);
	for (uint32_t i = 0; i < ret->n; i++) {
		items[i].mark = egress_mark(i);
		items[i].mask = EGRESS_MARKED;
	}
	return 0;
}

static int nft_write(const struct plan *plan, const struct host *host, struct err *e)
{
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	struct nft_env env = host->nft;
	struct egress_list guessed;
	int r = env.egress == NULL ? egress_guess(plan->mem, plan, &guessed) : 0;

	if (env.egress == NULL)
		env.egress = &guessed;
	if (r == 0)
		r = lower_nft(plan, &env, &prog, e);
	if (r == 0)
		nft_prog_print(prog, stdout);
	return r;
}

static int plan_write(const struct plan *plan, const struct host *host, struct err *e)
{
	plan_print(plan, stdout);
	return 0;
}

static int views_write(const struct plan *plan, const struct host *host, struct err *e)
{
	CLEANUP(freep) char *text = NULL;
	int r = lower_dns(plan, host->upstreams, host->n_upstreams, COMPILE_GENERATION, &text, e);

	if (r == 0)
		puts(text);
	return r;
}

static int log_write(const struct plan *plan, const struct host *host, struct err *e)
{
	CLEANUP(freep) char *text = NULL;
	int r = lower_log(plan, COMPILE_GENERATION, &text, e);

	if (r == 0)
		puts(text);
	return r;
}

struct format {
	const char *name;
	int (*write)(const struct plan *plan, const struct host *host, struct err *e);
};

static const struct format formats[] = {
	{ "nft", nft_write },
	{ "plan", plan_write },
	{ "views", views_write },
	{ "log", log_write },
};

static const struct format *format_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

int cmd_compile(int argc, char **argv)
{
	CLEANUP(plan_freep) struct plan *plan = NULL;
	CLEANUP(world_done) struct world w = { 0 };
	struct options o = { 0 };
	const struct format *format;
	struct cli_policy c;
	struct err e = { 0 };
	struct host host;
	int exit_code, r;

	if (!options_parse(argc, argv, &o, &exit_code))
		return exit_code;
	format = format_find(o.format);
	if (format == NULL) {
		fprintf(stderr, "sluice: no format '%s': nft, plan, views or log\n", o.format);
		return CLI_USAGE;
	}
	r = cli_policy_load(o.policy, o.devices, &c);
	if (r == 0)
		r = host_load(&c, o.world.gateway, &host);
	if (r == 0)
		r = world_load(&w, c.policy, o.policy, &o.world, &e);
	if (w.env.at_s == 0)
		w.env.at_s = w.env.now_s;
	if (r == 0)
		r = plan_compile(c.policy, c.devices, &w.env, &c.diags, &plan);
	if (c.mem != NULL)
		cli_policy_print(&c, CLI_TEXT);
	if (r == 0)
		r = format->write(plan, &host, &e);
	if (r < 0 && e.code != 0)
		fprintf(stderr, "sluice: %s\n", e.msg);
	else if (r == -ENOMEM)
		fputs("sluice: out of memory\n", stderr);
	cli_policy_done(&c);
	return r == 0 && fflush(stdout) == 0 ? CLI_OK : CLI_BAD_INPUT;
}
