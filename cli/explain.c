/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice explain DEVICE NAME|ADDRESS [PORT[/PROTO]]`: the chain of reasons, from the name to the packet, by the files
 * that the gateway runs by; and, when it is running, what the device has learned. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/judge.h"
#include "policy/evaluate.h"

#include <getopt.h>
#include <netinet/in.h>

static const char help[] =
	"usage: sluice explain [--config FILE] [--json] DEVICE NAME|ADDRESS [PORT[/PROTO]]\n\n"
	"DEVICE is a device's name or one of its addresses. PORT is 443 and PROTO tcp where not given; PROTO may be\n"
	"tcp, udp, sctp or icmp. Says which list line or policy position decides about the name, and which about\n"
	"the packet.\n"
	"Exit status: 0 it is allowed, 1 it is refused or the input is wrong, 2 usage.\n";

struct options {
	const char *config, *device, *target;
	uint16_t port;
	uint8_t proto;
	bool json;
};

struct subject {
	const struct plan_device *device;
	const struct view *view; /* NULL: not active */
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
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	ret->port = 443;
	ret->proto = IPPROTO_TCP;
	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:jh", longs, NULL)) != -1) {
		if (opt == 'c')
			ret->config = optarg;
		else if (opt == 'j')
			ret->json = true;
		else {
			fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	if (argc - optind < 2 || argc - optind > 3 || (argc - optind == 3 && !service_parse(argv[optind + 2], ret))) {
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

/* The address of the device in the family of what it wants to reach. */
static const struct ip_addr *device_addr(const struct plan_device *d, uint8_t family)
{
	for (uint32_t i = 0; i < d->n_addrs; i++)
		if (d->addrs[i].family == family)
			return &d->addrs[i];
	return &d->addrs[0];
}

static bool subject_find(const struct judge *j, const struct options *o, struct subject *ret)
{
	const struct view_client *client;

	ret->device = device_named(j->plan, o->device);
	if (ret->device == NULL || ret->device->n_addrs == 0) {
		fprintf(stderr,
			"sluice explain: no device is called %s; 'devices' of the gateway's settings names the file\n",
			o->device);
		return false;
	}
	client = views_client(j->views, &ret->device->addrs[0]);
	ret->view = client != NULL ? &j->views->views[client->view] : NULL;
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
static struct ip_addr name_addr(const struct judge *j, const struct dname *name)
{
	/* TEST-NET-3 stands for "some public address": no rule of a real policy names it. */
	struct ip_addr somewhere = { .family = IP_V4, .bytes = { 203, 0, 113, 1 } };
	uint32_t n;
	const struct plan_record *records = views_records(j->views, name, &n);

	return records != NULL && n > 0 ? records[0].addr : somewhere;
}

static void packet_decide(const struct judge *j, const struct options *o, const struct subject *s, struct verdict *ret)
{
	struct compile_env env = cli_compile_env();
	struct packet pkt = { .dst = s->is_name ? name_addr(j, &s->name) : s->addr,
			      .proto = o->proto,
			      .port = o->proto == IPPROTO_ICMP ? 0 : o->port,
			      .name = s->is_name ? &s->name : NULL };

	pkt.src = *device_addr(s->device, pkt.dst.family);
	if (pkt.dst.family == IP_V6 && pkt.proto == IPPROTO_ICMP)
		pkt.proto = IPPROTO_ICMPV6;
	evaluate_packet(j->docs.policy, j->docs.devices, &env, &pkt, ret);
}

/* Where a rule stands in the policy: "policy.hujson:14:5"; empty when no rule decided. */
static const char *rule_place(const struct judge *j, const char *pos, char *buf, size_t room)
{
	buf[0] = '\0';
	for (uint32_t i = 0; i < j->plan->n_rules && pos[0] != '\0'; i++)
		if (strcmp(j->plan->rules[i].pos, pos) == 0)
			(void)snprintf(buf, room, "%s:%u:%u", j->docs.policy->src->name, j->plan->rules[i].line,
				       j->plan->rules[i].col);
	return buf;
}

static const char *const dns_words[DNS_VERDICT_MAX] = { "pass", "block", "rewrite" };
static const char *const packet_words[PLAN_ACTION_MAX] = { "accept", "drop", "reject" };

static void name_print(const struct subject *s, const struct name_verdict *v)
{
	if (s->view == NULL)
		puts("name     refused: the device is not active");
	else if (v->list != NULL && v->verdict == DNS_BLOCK)
		printf("name     block: %s line %u: %s\n", v->list, v->line, v->rule);
	else if (v->list != NULL)
		printf("name     pass: exception of %s line %u: %s\n", v->list, v->line, v->rule);
	else if (v->verdict == DNS_REWRITE)
		puts("name     answered from the policy's own records");
	else
		printf("name     pass: on no list of this device%s%s\n", s->view->filter_pos != NULL ? ", filter " : "",
		       s->view->filter_pos != NULL ? s->view->filter_pos : "");
}

static void leases_print(const cJSON *answer)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(answer, "leases"))
	{
		const cJSON *left = cJSON_GetObjectItemCaseSensitive(item, "expires_s");
		const char *rule = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "rule"));
		const char *addr = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "addr"));

		printf("learned  %s under %s, for %.0f s more\n", addr != NULL ? addr : "-", rule != NULL ? rule : "-",
		       cJSON_IsNumber(left) ? left->valuedouble : 0);
	}
}

/* What the running gateway has learned for this device and address; NULL when none runs or a name was asked. */
static cJSON *leases_ask(const struct cli_gateway *g, const struct subject *s)
{
	char client[IP_TEXT_MAX], addr[IP_TEXT_MAX], request[256];
	cJSON *answer = NULL;

	if (s->is_name)
		return NULL;
	(void)snprintf(request, sizeof(request), "{\"cmd\":\"learned\",\"client\":\"%s\",\"addr\":\"%s\"}",
		       ip_addr_print(device_addr(s->device, s->addr.family), client), ip_addr_print(&s->addr, addr));
	return control_request(g, request, &answer, NULL) == 0 ? answer : NULL;
}

static void text_print(const struct judge *j, const struct options *o, const struct subject *s,
		       const struct name_verdict *name, const struct verdict *packet, const cJSON *leases)
{
	char addr[IP_TEXT_MAX], place[320];

	printf("device   %s (%s), %s %s\n", s->device->name, ip_addr_print(&s->device->addrs[0], addr),
	       s->device->user != NULL ? "of" : "tagged",
	       s->device->user != NULL	    ? s->device->user
	       : s->device->tags[0] != NULL ? s->device->tags[0]
					    : "nobody");
	if (s->is_name)
		name_print(s, name);
	leases_print(leases);
	printf("packet   %s: %s\n", packet_words[packet->action], packet->reason);
	rule_place(j, packet->rule, place, sizeof(place));
	if (place[0] != '\0')
		printf("rule     %s at %s\n", packet->rule, place);
	if (j->missing != NULL && s->is_name)
		printf("note     list %s is not there: nothing on it is blocked\n", j->missing);
}

static void json_print(const struct judge *j, const struct subject *s, const struct name_verdict *name,
		       const struct verdict *packet, cJSON *leases)
{
	cJSON *out = cJSON_CreateObject(), *dns = NULL, *p;
	char place[320], *text;

	(void)cJSON_AddStringToObject(out, "device", s->device->name);
	if (s->is_name) {
		dns = cJSON_AddObjectToObject(out, "dns");
		(void)cJSON_AddStringToObject(dns, "verdict", s->view != NULL ? dns_words[name->verdict] : "block");
	}
	if (dns != NULL && s->view != NULL && name->list != NULL) {
		(void)cJSON_AddStringToObject(dns, "list", name->list);
		(void)cJSON_AddNumberToObject(dns, "line", name->line);
		(void)cJSON_AddStringToObject(dns, "rule", name->rule);
	}
	p = cJSON_AddObjectToObject(out, "packet");
	(void)cJSON_AddStringToObject(p, "verdict", packet_words[packet->action]);
	(void)cJSON_AddStringToObject(p, "rule", packet->rule);
	(void)cJSON_AddStringToObject(p, "at", rule_place(j, packet->rule, place, sizeof(place)));
	(void)cJSON_AddStringToObject(p, "reason", packet->reason);
	if (leases != NULL)
		(void)cJSON_AddItemToObject(out, "leases", cJSON_DetachItemFromObject(leases, "leases"));
	text = cJSON_PrintUnformatted(out);
	if (text != NULL)
		puts(text);
	free(text);
	cJSON_Delete(out);
}

static int explain(const struct cli_gateway *g, const struct judge *j, const struct options *o)
{
	struct name_verdict name = { 0 };
	struct verdict packet = { 0 };
	struct subject s = { 0 };
	cJSON *leases;
	bool allowed;

	if (!subject_find(j, o, &s))
		return CLI_BAD_INPUT;
	if (s.is_name && s.view != NULL)
		verdict_name(j->views, s.view, &s.name, &name);
	packet_decide(j, o, &s, &packet);
	leases = leases_ask(g, &s);
	if (o->json)
		json_print(j, &s, &name, &packet, leases);
	else
		text_print(j, o, &s, &name, &packet, leases);
	cJSON_Delete(leases);
	allowed = packet.action == PLAN_ACCEPT && s.view != NULL && (!s.is_name || name.verdict != DNS_BLOCK);
	return allowed ? CLI_OK : CLI_BAD_INPUT;
}

int cmd_explain(int argc, char **argv)
{
	struct judge_options jo = { 0 };
	struct options o = { 0 };
	struct cli_gateway g;
	struct err e = { 0 };
	struct judge j;
	int exit_code = options_parse(argc, argv, &o);

	if (exit_code >= 0)
		return exit_code;
	if (cli_gateway_load(o.config, &g) < 0)
		return CLI_BAD_INPUT;
	jo.policy = g.doc->policy_file;
	jo.devices = g.doc->devices_file;
	if (judge_init(&j, &jo, &e) < 0) {
		cli_policy_print(&j.docs, CLI_TEXT);
		fprintf(stderr, "sluice explain: %s\n", e.msg);
		exit_code = CLI_BAD_INPUT;
	} else {
		exit_code = explain(&g, &j, &o);
	}
	judge_done(&j);
	cli_gateway_done(&g);
	return exit_code;
}
