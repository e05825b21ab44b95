/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice doctor`: why does it not work? Checks the host, sends probes through the kernel and says where they end, and
 * what to do. Changes nothing that stays. */
#include "cli/doctor.h"

#include "cli/cli.h"
#include "cli/doctor_net.h"
#include "gatewayd/applied.h"

#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>

static const char help[] =
	"usage: sluice doctor [--config FILE] [--json] [--probe DEVICE ADDRESS [PORT[/PROTO]]]\n\n"
	"Checks what the gateway needs of this host: forwarding, the tunnel's device, routes, MTU, conntrack, "
	"rp_filter,\n"
	"port 53, the clock, the upstreams, dnsd. Then sends probe packets in by the tunnel, as devices would, and "
	"says\n"
	"whether they meet what the policy says; if not, in which table, chain and rule they end, and the commands "
	"that\n"
	"help. Probes end in this host: nothing leaves it, nothing stays. It changes nothing; needs root for most.\n"
	"--probe sends that one only. PORT is 443 and PROTO tcp where not given; PROTO may be tcp or udp.\n"
	"--json prints one check a line: id, level (ok, warn, fail, skip), seen, fix, place.\n"
	"Exit status: 0 nothing fails, 1 something does, 2 usage.\n";

struct options {
	const char *config;
	bool json;
	struct probe_wish wish;
};

static bool service_parse(const char *text, struct probe_wish *w)
{
	const char *slash = strchr(text, '/');
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (end == text || port == 0 || port > 65535 || (*end != '\0' && end != slash))
		return false;
	w->port = (uint16_t)port;
	if (slash != NULL && strcmp(slash, "/udp") == 0)
		w->proto = IPPROTO_UDP;
	return slash == NULL || w->proto == IPPROTO_UDP || strcmp(slash, "/tcp") == 0;
}

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "probe", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool good = true;
	int opt, n;

	ret->wish = (struct probe_wish){ .port = 443, .proto = IPPROTO_TCP };
	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:jp:h", longs, NULL)) != -1) {
		if (opt == 'c') {
			ret->config = optarg;
		} else if (opt == 'j') {
			ret->json = true;
		} else if (opt == 'p') {
			ret->wish.device = optarg;
		} else {
			fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	n = argc - optind;
	if (ret->wish.device == NULL)
		good = n == 0;
	else
		good = n >= 1 && n <= 2 && ip_addr_parse(argv[optind], &ret->wish.dst) == 0 &&
		       (n < 2 || service_parse(argv[optind + 1], &ret->wish));
	if (good)
		return -1;
	fputs(help, stderr);
	return CLI_USAGE;
}

static bool is_true(const cJSON *o, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static bool reload_failed(const struct doctor *d)
{
	const cJSON *last = cJSON_GetObjectItemCaseSensitive(d->status, "last_reload");

	return cJSON_IsObject(last) && !is_true(last, "ok");
}

void check_gateway(struct doctor *d)
{
	struct err e = { 0 };
	const cJSON *last;
	struct check *c;
	int r = control_request(&d->gateway, "{\"cmd\":\"status\"}", &d->status, &e);

	if (r == -EACCES || r == -EPERM) {
		report_add(&d->report, "gateway", CHECK_SKIP, "%s: only root may ask the gateway", e.msg);
		return;
	}
	if (r < 0) {
		check_fix(report_add(&d->report, "gateway", CHECK_FAIL, "the gateway does not answer: %s", e.msg),
			  "start sluice-gatewayd (its log says why it ended)");
		return;
	}
	if (!reload_failed(d)) {
		report_add(&d->report, "gateway", CHECK_OK,
			   "sluice-gatewayd runs, the last reading of its files was good");
		return;
	}
	last = cJSON_GetObjectItemCaseSensitive(d->status, "last_reload");
	c = report_add(&d->report, "gateway", CHECK_WARN, "an older policy is in force, the last reload failed: %s",
		       cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(last, "error")) != NULL
			       ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(last, "error"))
			       : "see sluice status");
	check_fix(c, "mend the files, then: sluice reload");
}

/* What stands between the policy and the packets: the mode, and the gate that holds when the table is gone. */
static void check_netfilter(struct doctor *d)
{
	const char *mode = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(d->status, "netfilter"));
	const char *gate = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(d->status, "gate"));

	if (mode == NULL)
		mode = netfilter_mode_name(d->gateway.doc->netfilter);
	d->enforced = strcmp(mode, netfilter_mode_name(NETFILTER_ON)) == 0;
	if (!d->enforced)
		check_fix(report_add(&d->report, "netfilter", CHECK_WARN,
				     "netfilter mode is %s: nothing of the policy holds for packets", mode),
			  "sluice netfilter on");
	else if (gate == NULL || strcmp(gate, "closed") == 0)
		report_add(&d->report, "netfilter", CHECK_OK, "netfilter mode is on%s",
			   gate != NULL ? ", and the gate is closed to what no table has judged" : "");
	else
		report_add(&d->report, "netfilter", CHECK_WARN,
			   "netfilter mode is on, but the gate is not closed (%s): should the table be taken away, all "
			   "passes",
			   gate);
}

/* What the gateway goes by: the copies that it made when it took its files over, where it has; or the files. */
static void policy_load(struct doctor *d)
{
	struct world_options o = { .gateway = d->gateway.file };
	struct doc_gateway copies;
	struct err e = { 0 };
	int r;

	if (applied_gateway(d->gateway.doc, d->gateway.mem, &copies) < 0 || access(copies.policy_file, R_OK) == -1 ||
	    access(copies.devices_file, R_OK) == -1)
		copies = *d->gateway.doc;
	r = cli_policy_load(copies.policy_file, copies.devices_file, &d->docs);
	if (r < 0)
		(void)err_set(&e, r, "%s: %s", copies.policy_file,
			      d->docs.diags.n > 0 ? d->docs.diags.items[0].msg : "cannot be read");
	if (r == 0)
		r = attached_read(d->tunnel, &d->attached, &e);
	if (r == 0)
		r = world_load(&d->world, d->docs.policy, d->gateway.doc->policy_file, &o, &e);
	if (r < 0) {
		check_fix(report_add(&d->report, "policy", CHECK_FAIL, "%s", e.msg),
			  "sluice check --policy %s --devices %s", d->gateway.doc->policy_file,
			  d->gateway.doc->devices_file);
		return;
	}
	d->world.env.at_s = d->world.env.now_s;
	d->world.env.attached = d->attached.nets;
	d->world.env.n_attached = d->attached.n_nets;
	d->has_policy = true;
	report_add(&d->report, "policy", CHECK_OK, "%u rules, %u devices (%s)", d->docs.policy->n_rules,
		   d->docs.devices->n_devices, copies.policy_file);
}

static void doctor_run(struct doctor *d)
{
	void (*const checks[])(struct doctor *) = {
		check_tun,	    check_forwarding, check_exit,      check_returns, check_rp_filter,
		check_mtu,	    check_conntrack,  check_clock,     check_port,    check_dns,
		check_certificates, check_anchor,     check_upstreams,
	};

	check_gateway(d);
	check_netfilter(d);
	policy_load(d);
	for (size_t i = 0; d->wish.device == NULL && i < ARRAY_LEN(checks); i++)
		checks[i](d);
	check_probes(d);
}

int cmd_doctor(int argc, char **argv)
{
	struct options o = { 0 };
	struct doctor *d;
	int exit_code = options_parse(argc, argv, &o);

	if (exit_code >= 0)
		return exit_code;
	d = calloc(1, sizeof(*d));
	if (d == NULL || cli_gateway_load(o.config, &d->gateway) < 0) {
		free(d);
		return CLI_BAD_INPUT;
	}
	d->tunnel = d->gateway.doc->tunnel.interface;
	d->tunnel_index = if_nametoindex(d->tunnel);
	d->root = geteuid() == 0;
	d->wish = o.wish;
	doctor_run(d);
	if (o.json)
		(void)report_print_json(&d->report, stdout);
	else
		report_print(&d->report, stdout);
	exit_code = report_fails(&d->report) ? CLI_BAD_INPUT : CLI_OK;
	cJSON_Delete(d->status);
	world_done(&d->world);
	cli_policy_done(&d->docs);
	cli_gateway_done(&d->gateway);
	free(d);
	return exit_code;
}
