/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a packet costs that begins a flow, by the number of devices. Called by flows.sh, in a process of its own for
 * each size. usage: flow_cost FLOWS [DIR]    DIR has the files of policy_gen; without it there are no rules at all
 *
 * A gateway between two cables in network namespaces of the process. Devices at random send the first packet of TCP
 * flows to the internet, to each other and to private networks; the kernel does all of it in the time of the sender, so
 * that the sender's processor time is the cost. Prints one row of a Markdown table. */
#include "docs.h"

#include <sys/resource.h>
#include <time.h>

#include "../tests/differential/street.h"
#include "../tests/differential/wire.h"
#include "gatewayd/nft_apply.h"
#include "policy/lower_nft.h"

#define DEVICES_MAX 100000u
#define ROUNDS	    5
#define SPREAD	    2654435761u

struct bench {
	struct street street;
	struct arena *mem;
	struct plan *plan;
	struct nft_prog *prog;
	uint32_t n_flows, number;
	uint32_t arrived;
};

static void load(struct bench *b, const char *dir)
{
	static const struct ip_prefix nets[] = {
		{ .addr = { .family = IP_V4, .bytes = { 100, 64 } }, .len = 10 },
	};
	/* A mark that no routing rule asks for: what is steered goes on as before. */
	static const struct egress way = { .name = "way", .kind = EGRESS_MARK, .mark = 1, .mask = 1 };
	static const struct egress_list ways = { &way, 1 };
	const struct nft_env env = { .tunnel = STREET_TUNNEL_NAME,
				     .tunnel_nets = nets,
				     .n_tunnel_nets = 1,
				     .dns_port = 53,
				     .egress = &ways,
				     .hooks = true,
				     .log_drops = true };
	struct nft_apply_result res;
	struct nft_channel *ch = NULL;
	struct docs docs = docs_read(dir, "devices.hujson");
	struct err e = { 0 };

	b->plan = plan_of(&docs);
	b->mem = docs.mem;
	if (lower_nft(b->plan, &env, &b->prog, &e) < 0 || nft_channel_open(&ch, &e) < 0 ||
	    nft_channel_probe(ch, &e) < 0 || nft_apply(ch, NULL, b->prog, NULL, 0, &res, &e) < 0)
		die("load", &e);
	/* Without an owner the table stays. */
	(void)nft_channel_free(ch);
}

static struct ip_addr v4(uint32_t a)
{
	return (struct ip_addr){ IP_V4, { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a } };
}

static struct ip_addr device_addr(const struct bench *b, uint32_t h)
{
	return b->plan != NULL ? b->plan->devices[h % b->plan->n_devices].addrs[0] : v4(0x64400000u | (h & 0x3fffffu));
}

static void some_packet(const struct bench *b, uint32_t i, struct packet *ret)
{
	uint32_t h = (i + 1) * SPREAD;

	*ret = (struct packet){ .src = device_addr(b, h), .proto = 6 };
	switch (h >> 28 & 3) {
	case 0:
	case 1:
		ret->dst = v4(0x08000000u | (h >> 5 & 0xffffffu));
		ret->port = 8000;
		break;
	case 2:
		ret->dst = device_addr(b, h / 7);
		ret->port = 22;
		break;
	default:
		ret->dst = v4(0x0a000000u | (h & 0x3ffffu));
		ret->port = (uint16_t)(1024 + h % 1000);
		break;
	}
}

static double cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_stime.tv_sec * 1e6 + (double)u.ru_stime.tv_usec + (double)u.ru_utime.tv_sec * 1e6 +
	       (double)u.ru_utime.tv_usec;
}

static double now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* What came out is taken when all has been sent: it does not count. */
static void drain(struct bench *b)
{
	uint8_t frame[WIRE_SNAP_MAX];
	uint32_t number;
	size_t len;

	while ((len = street_receive(&b->street, STREET_WORLD, frame, sizeof(frame))) != 0)
		b->arrived += wire_parse(frame, len, &number) == WIRE_PACKET;
}

/* @ret_cpu, @ret_wall: microseconds a flow. */
static void round_of(struct bench *b, double *ret_cpu, double *ret_wall)
{
	uint8_t(*frames)[WIRE_FRAME_MAX] = calloc(b->n_flows, sizeof(*frames));
	size_t *lens = calloc(b->n_flows, sizeof(*lens));
	double cpu, wall;

	if (frames == NULL || lens == NULL)
		die("memory", NULL);
	for (uint32_t i = 0; i < b->n_flows; i++) {
		struct packet pkt;

		some_packet(b, b->number + i, &pkt);
		lens[i] = wire_build(&pkt, (uint16_t)(1024 + (b->number + i) % 60000), b->number + i,
				     street_gateway_mac, frames[i]);
	}
	b->number += b->n_flows;
	cpu = cpu_us();
	wall = now_us();
	for (uint32_t i = 0; i < b->n_flows; i++)
		(void)street_send(&b->street, frames[i], lens[i]);
	*ret_wall = (now_us() - wall) / b->n_flows;
	*ret_cpu = (cpu_us() - cpu) / b->n_flows;
	drain(b);
	if (street_forget() < 0)
		die("conntrack", NULL);
	free(frames);
	free(lens);
}

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	double cpu[ROUNDS], wall[ROUNDS];
	struct bench b = { 0 };
	struct err e = { 0 };

	if (argc < 2 || argc > 3) {
		(void)fprintf(stderr, "usage: flow_cost FLOWS [DIR]\n");
		return 2;
	}
	b.n_flows = (uint32_t)strtoul(argv[1], NULL, 10);
	if (b.n_flows == 0 || street_open(&b.street, &e) < 0)
		die("namespaces", &e);
	if (argc == 3)
		load(&b, argv[2]);
	round_of(&b, &cpu[0], &wall[0]); /* warm */
	b.arrived = 0;
	for (int i = 0; i < ROUNDS; i++)
		round_of(&b, &cpu[i], &wall[i]);
	qsort(cpu, ROUNDS, sizeof(*cpu), double_cmp);
	qsort(wall, ROUNDS, sizeof(*wall), double_cmp);
	(void)printf("%u | %.2f | %.2f | %.0f |\n", b.arrived * 100 / (b.n_flows * ROUNDS), cpu[ROUNDS / 2],
		     wall[ROUNDS / 2], 1e6 / wall[ROUNDS / 2]);
	street_close(&b.street);
	return 0;
}
