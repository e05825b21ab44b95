/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice explain DEVICE NAME|ADDRESS [PORT[/PROTO]]`: the chain of reasons, from the name to the packet, by the files
 * that the gateway runs by; and, when it is running, what the device has learned. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/drops.h"
#include "cli/override.h"
#include "cli/reasons.h"
#include "policy/evaluate.h"

#include <getopt.h>
#include <netinet/in.h>

static const char help[] =
	"usage: sluice explain [--config FILE | --policy P --devices D] [--list NAME=FILE …] [--at T] [--json]\n"
	"                      DEVICE NAME|ADDRESS [PORT[/PROTO]]\n\n"
	"DEVICE is a device's name or one of its addresses. PORT is 443 and PROTO tcp where not given; PROTO may be\n"
	"tcp, udp, sctp or icmp. Says which list line or policy position decides about the name, which about the\n"
	"packet, and of every rule that is about the device which part of it fits. For a name the address is any\n"
	"public one, or that of the policy's own record. --policy and --devices name files instead of the "
	"gateway's.\n" WORLD_HELP "Exit status: 0 it is allowed, 1 it is refused or the input is wrong, 2 usage.\n";

struct options {
	const char *config, *device, *target;
	struct judge_options judge;
	uint16_t port;
	uint8_t proto;
	bool json;
};

struct subject {
	const struct plan_device *device;
	struct ip_addr called;	 /* the address that it was called by; IP_NONE: its name */
	const struct view *view; /* NULL: not active */
	const struct view_client *client;
	bool is_name;
	struct dname name;
	struct ip_addr addr; /* family IP_NONE: a name whose address only the resolver knows */
};

static bool service_parse(const char *text, struct options *ret)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = {
		{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP }, { "icmp", IPPROTO_ICMP }
	};
	const char *slash = strchr(text, '/');
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (end == text || port > 65535 || (*end != '\0' && end != slash))
		return false;
	ret->port = (uint16_t)port;
	if (slash == NULL)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (strcmp(slash + 1, protos[i].name) == 0) {
			ret->proto = protos[i].proto;
			return true;
		}
	return false;
}

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "policy", required_argument, NULL, 'p' },
		{ "devices", required_argument, NULL, 'd' },
		{ "list", required_argument, NULL, 'l' },
		WORLD_LONGS,
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	ret->port = 443;
	ret->proto = IPPROTO_TCP;
	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:p:d:l:jh", longs, NULL)) != -1) {
		if (opt == 'c')
			ret->config = optarg;
		else if (opt == 'p')
			ret->judge.policy = optarg;
		else if (opt == 'd')
			ret->judge.devices = optarg;
		else if (opt == 'l' && ret->judge.n_lists < LISTS_MAX)
			ret->judge.lists[ret->judge.n_lists++] = optarg;
		else if (opt == 'j')
			ret->json = true;
		else if (!world_option(&ret->judge.world, opt, optarg)) {
			fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	if ((ret->judge.policy == NULL) != (ret->judge.devices == NULL) || argc - optind < 2 || argc - optind > 3 ||
	    (argc - optind == 3 && !service_parse(argv[optind + 2], ret))) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	ret->device = argv[optind];
	ret->target = argv[optind + 1];
	return -1;
}

static const struct plan_device *device_named(const struct plan *p, const char *text)
{
	struct ip_addr addr;

	if (ip_addr_parse(text, &addr) == 0)
		return plan_device_find(p, &addr);
	for (uint32_t i = 0; i < p->n_devices; i++)
		if (strcmp(p->devices[i].name, text) == 0)
			return &p->devices[i];
	return NULL;
}

/* The address of the device in the family of what it wants to reach: the one that it was called by, if it was. */
static const struct ip_addr *device_addr(const struct subject *s, uint8_t family)
{
	const struct plan_device *d = s->device;

	if (s->called.family == family)
		return &s->called;
	for (uint32_t i = 0; i < d->n_addrs; i++)
		if (d->addrs[i].family == family)
			return &d->addrs[i];
	return &d->addrs[0];
}

static bool subject_find(const struct judge *j, const struct options *o, struct subject *ret)
{
	ret->device = device_named(j->plan, o->device);
	if (ret->device == NULL || ret->device->n_addrs == 0) {
		fprintf(stderr,
			"sluice explain: no device is called %s; 'devices' of the gateway's settings names the file\n",
			o->device);
		return false;
	}
	if (ip_addr_parse(o->device, &ret->called) < 0)
		ret->called = (struct ip_addr){ .family = IP_NONE };
	ret->client = views_client(j->views, &ret->device->addrs[0]);
	ret->view = ret->client != NULL ? &j->views->views[ret->client->view] : NULL;
	if (ip_addr_parse(o->target, &ret->addr) == 0)
		return true;
	ret->is_name = true;
	if (dname_parse(o->target, strlen(o->target), &ret->name) < 0) {
		fprintf(stderr, "sluice explain: %s is neither an address nor a name\n", o->target);
		return false;
	}
	return true;
}

/* A name's packet verdict holds for whatever public address the resolver gives; a local record has its own. */
static struct ip_addr name_addr(const struct judge *j, const struct dname *name, bool *ret_stand_in)
{
	/* TEST-NET-3 stands for "some public address": no rule of a real policy names it. */
	struct ip_addr somewhere = { .family = IP_V4, .bytes = { 203, 0, 113, 1 } };
	struct local_answer a = { .n = 0 };

	*ret_stand_in = true;
	if (!records_answer(j->views->records, name, RECORD_A, &a))
		return somewhere;
	for (uint32_t i = 0; i < a.n && *ret_stand_in; i++) {
		if (a.records[i].addr.family == IP_NONE)
			continue;
		somewhere = a.records[i].addr;
		*ret_stand_in = false;
	}
	return somewhere;
}

static void packet_decide(const struct judge *j, const struct options *o, const struct subject *s, struct reasons *ret)
{
	struct packet pkt = { .dst = s->addr,
			      .proto = o->proto,
			      .port = o->proto == IPPROTO_ICMP ? 0 : o->port,
			      .name = s->is_name ? &s->name : NULL };

	if (s->is_name)
		pkt.dst = name_addr(j, &s->name, &pkt.stand_in);
	pkt.src = *device_addr(s, pkt.dst.family);
	if (pkt.dst.family == IP_V6 && pkt.proto == IPPROTO_ICMP)
		pkt.proto = IPPROTO_ICMPV6;
	ret->src = pkt.src;
	ret->dst = pkt.dst;
	ret->stand_in = pkt.stand_in;
	evaluate_explain(j->docs.policy, j->docs.devices, &j->world.env, &pkt, ret->looks, &ret->packet);
}

/* What the running gateway has learned for this device and address; NULL when none runs or a name was asked. */
static cJSON *leases_ask(const struct cli_gateway *g, const struct subject *s)
{
	char client[IP_TEXT_MAX], addr[IP_TEXT_MAX], request[256];
	cJSON *answer = NULL;

	if (s->is_name)
		return NULL;
	(void)snprintf(request, sizeof(request), "{\"cmd\":\"learned\",\"client\":\"%s\",\"addr\":\"%s\"}",
		       ip_addr_print(device_addr(s, s->addr.family), client), ip_addr_print(&s->addr, addr));
	return control_request(g, request, &answer, NULL) == 0 ? answer : NULL;
}

/* Refused packets that the running gateway has kept; NULL when none runs or no address is known. */
static cJSON *drops_ask(const struct cli_gateway *g, const struct reasons *r)
{
	cJSON *answer = NULL;

	if (r->stand_in)
		return NULL;
	return control_request(g, "{\"cmd\":\"drops\"}", &answer, NULL) == 0 ? answer : NULL;
}

static int explain(const struct cli_gateway *g, const struct judge *j, const struct options *o)
{
	CLEANUP(freep) struct rule_look *looks = calloc((size_t)j->docs.policy->n_rules + 1, sizeof(*looks));
	struct reasons r = { .judge = j, .looks = looks };
	struct subject s = { 0 };
	char dst[IP_TEXT_MAX];
	cJSON *drops;
	bool allowed;

	if (looks == NULL || !subject_find(j, o, &s))
		return CLI_BAD_INPUT;
	r.device = s.device;
	r.view = s.view;
	r.is_name = s.is_name;
	if (s.is_name && s.view != NULL)
		verdict_name(
			&(struct verdict_ask){
				.views = j->views, .view = s.view, .client = s.client, .type = RECORD_A },
			&s.name, &r.name);
	packet_decide(j, o, &s, &r);
	r.leases = g != NULL ? leases_ask(g, &s) : NULL;
	drops = g != NULL ? drops_ask(g, &r) : NULL;
	r.refused = drops_newest(drops, s.device->name, ip_addr_print(&r.dst, dst));
	if (o->json)
		reasons_print_json(&r);
	else
		reasons_print(&r);
	cJSON_Delete(r.leases);
	cJSON_Delete(drops);
	allowed = r.packet.action == PLAN_ACCEPT && s.view != NULL && (!s.is_name || r.name.verdict != DNS_BLOCK);
	return allowed ? CLI_OK : CLI_BAD_INPUT;
}

/* What the running gateway lets pass for a while; none when none runs. */
static void overrides_ask(const struct cli_gateway *g, struct judge_options *ret, struct override **ret_items)
{
	struct override *items = calloc(OVERRIDES_MAX, sizeof(*items));
	cJSON *answer = NULL;

	*ret_items = items;
	if (items == NULL || control_request(g, "{\"cmd\":\"override\",\"do\":\"list\"}", &answer, NULL) < 0)
		return;
	ret->overrides = items;
	ret->n_overrides = overrides_read(answer, items, OVERRIDES_MAX);
	cJSON_Delete(answer);
}

int cmd_explain(int argc, char **argv)
{
	CLEANUP(freep) struct override *overrides = NULL;
	struct options o = { 0 };
	struct cli_gateway g = { 0 };
	struct err e = { 0 };
	struct judge j;
	int exit_code = options_parse(argc, argv, &o);
	bool gateway = o.judge.policy == NULL;

	if (exit_code >= 0)
		return exit_code;
	if (gateway && cli_gateway_load(o.config, &g) < 0)
		return CLI_BAD_INPUT;
	if (gateway) {
		o.judge.policy = g.doc->policy_file;
		o.judge.devices = g.doc->devices_file;
		if (o.judge.world.gateway == NULL)
			o.judge.world.gateway = g.file;
		overrides_ask(&g, &o.judge, &overrides);
	}
	o.judge.now = true;
	if (judge_init(&j, &o.judge, &e) < 0) {
		cli_policy_print(&j.docs, CLI_TEXT);
		fprintf(stderr, "sluice explain: %s\n", e.msg);
		exit_code = CLI_BAD_INPUT;
	} else {
		exit_code = explain(gateway ? &g : NULL, &j, &o);
	}
	judge_done(&j);
	cli_gateway_done(&g);
	return exit_code;
}
