/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What forwarding costs, by ruleset: a packet that begins a flow, and one of an established flow. Called by flows.sh.
 * usage: flow_cost FLOWS ROUNDS SPEC...    SPEC: a ruleset, see rounds.h; prints one row of a Markdown table for each
 *
 * A gateway between two cables in network namespaces of the process. Devices at random send the first packet of TCP
 * flows to the internet, to each other and to private networks; the kernel does all of it in the time of the sender, so
 * that the sender's processor time is the cost. Established: small datagrams of flows that have been answered, in both
 * directions. */
#include "rounds.h"

#include <sys/socket.h>

#include "../tests/differential/street.h"
#include "../tests/differential/wire.h"

#define SPREAD	    2654435761u
#define ESTABLISHED 500u /* flows at a time: their first packets wait in the receiving socket */
#define OPEN_PORT   8000 /* open to all devices toward the internet */

enum { NEW_CPU = 0, NEW_WALL, NEW_PASSED, OLD_CPU, OLD_WALL, OLD_PASSED, N_VALUES };

struct frames {
	uint8_t (*bytes)[WIRE_FRAME_MAX];
	size_t *lens;
	uint32_t n;
};

struct bench {
	struct street street;
	struct ruleset rules;
	struct frames frames, there, back;
	uint32_t n_flows, number;
};

static uint32_t flows_wanted;

static void some_packet(const struct bench *b, uint32_t i, struct packet *ret)
{
	uint32_t h = (i + 1) * SPREAD;

	*ret = (struct packet){ .src = ruleset_device(&b->rules, h), .proto = 6 };
	switch (h >> 28 & 3) {
	case 0:
	case 1:
		ret->dst = addr_v4(0x08000000u | (h >> 5 & 0xffffffu));
		ret->port = OPEN_PORT;
		break;
	case 2:
		ret->dst = ruleset_device(&b->rules, h / 7);
		ret->port = 22;
		break;
	default:
		ret->dst = addr_v4(0x0a000000u | (h & 0x3ffffu));
		ret->port = (uint16_t)(1024 + h % 1000);
		break;
	}
}

static struct frames frames_new(uint32_t n)
{
	struct frames f = { .bytes = zeroed(n, sizeof(*f.bytes)), .lens = zeroed(n, sizeof(*f.lens)), .n = n };

	return f;
}

/* All that waits at one end; what is ours of it is counted, and kept in @keep where that is not NULL. */
static uint32_t drain(struct bench *b, enum street_side side, struct frames *keep)
{
	uint8_t frame[WIRE_SNAP_MAX];
	uint32_t number, n = 0;
	size_t len;

	while ((len = street_receive(&b->street, side, frame, sizeof(frame))) != 0) {
		if (wire_parse(frame, len, &number) != WIRE_PACKET)
			continue;
		if (keep != NULL && n < ESTABLISHED && len <= WIRE_FRAME_MAX) {
			memcpy(keep->bytes[n], frame, len);
			keep->lens[n] = len;
		}
		n++;
	}
	return n;
}

/* What came out is taken when all has been sent: it does not count. */
static void round_new(struct bench *b, double *values)
{
	double cpu, wall;

	for (uint32_t i = 0; i < b->n_flows; i++) {
		struct packet pkt;

		some_packet(b, b->number + i, &pkt);
		b->frames.lens[i] = wire_build(&pkt, (uint16_t)(1024 + (b->number + i) % 60000), b->number + i,
					       street_gateway_mac, b->frames.bytes[i]);
	}
	b->number += b->n_flows;
	cpu = cpu_us();
	wall = wall_us();
	for (uint32_t i = 0; i < b->n_flows; i++)
		(void)street_send(&b->street, b->frames.bytes[i], b->frames.lens[i]);
	values[NEW_WALL] = (wall_us() - wall) / b->n_flows;
	values[NEW_CPU] = (cpu_us() - cpu) / b->n_flows;
	values[NEW_PASSED] = 100.0 * (drain(b, STREET_WORLD, NULL) + drain(b, STREET_TUNNEL, NULL)) / b->n_flows;
}

/* The answer to a datagram: both addresses and both ports change places, and no checksum does. */
static void turn(uint8_t *frame)
{
	static const struct {
		uint8_t a, b, len;
	} pairs[] = { { 0, 6, 6 }, { 26, 30, 4 }, { 34, 36, 2 } };
	uint8_t t[6];

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		memcpy(t, frame + pairs[i].a, pairs[i].len);
		memcpy(frame + pairs[i].a, frame + pairs[i].b, pairs[i].len);
		memcpy(frame + pairs[i].b, t, pairs[i].len);
	}
}

static void send_all(const struct bench *b, enum street_side side, const struct frames *f, uint32_t times)
{
	for (uint32_t k = 0; k < times; k++)
		for (uint32_t i = 0; i < f->n; i++)
			(void)!send(b->street.fds[side], f->bytes[i], f->lens[i], 0);
}

/* Flows to the internet, each answered once. */
static void establish(struct bench *b)
{
	b->there.n = ESTABLISHED;
	for (uint32_t i = 0; i < ESTABLISHED; i++) {
		uint32_t h = (b->number + i + 1) * SPREAD;
		struct packet pkt = { .src = ruleset_device(&b->rules, h), .proto = 17, .port = OPEN_PORT };

		pkt.dst = addr_v4(0x08000000u | (h >> 5 & 0xffffffu));
		b->there.lens[i] = wire_build(&pkt, (uint16_t)(1024 + (b->number + i) % 60000), b->number + i,
					      street_gateway_mac, b->there.bytes[i]);
	}
	b->number += ESTABLISHED;
	send_all(b, STREET_TUNNEL, &b->there, 1);
	b->back.n = drain(b, STREET_WORLD, &b->back);
	for (uint32_t i = 0; i < b->back.n; i++)
		turn(b->back.bytes[i]);
	send_all(b, STREET_WORLD, &b->back, 1);
	if (b->back.n != ESTABLISHED || drain(b, STREET_TUNNEL, NULL) != ESTABLISHED)
		die("not all flows could be established", NULL);
}

static void round_established(struct bench *b, double *values)
{
	uint32_t times = b->n_flows / ESTABLISHED, passed = 0;
	double cpu = 0, wall = 0;

	establish(b);
	for (int side = 0; side < STREET_SIDES; side++) {
		for (uint32_t k = 0; k < times; k++) {
			double cpu_0 = cpu_us(), wall_0 = wall_us();

			send_all(b, (enum street_side)side, side == STREET_TUNNEL ? &b->there : &b->back, 1);
			wall += wall_us() - wall_0;
			cpu += cpu_us() - cpu_0;
			passed += drain(b, side == STREET_TUNNEL ? STREET_WORLD : STREET_TUNNEL, NULL);
		}
	}
	values[OLD_CPU] = cpu / (2.0 * times * ESTABLISHED);
	values[OLD_WALL] = wall / (2.0 * times * ESTABLISHED);
	values[OLD_PASSED] = 100.0 * passed / (2.0 * times * ESTABLISHED);
}

static void bench_round(void *ctx, double *values)
{
	struct bench *b = ctx;

	round_new(b, values);
	if (b->rules.nat && street_forget() < 0)
		die("conntrack", NULL);
	round_established(b, values);
	if (b->rules.nat && street_forget() < 0)
		die("conntrack", NULL);
}

static void *bench_begin(const char *spec)
{
	struct bench *b = zeroed(1, sizeof(*b));
	struct err e = { 0 };

	b->n_flows = flows_wanted;
	b->frames = frames_new(b->n_flows);
	b->there = frames_new(ESTABLISHED);
	b->back = frames_new(ESTABLISHED);
	if (street_open(&b->street, &e) < 0)
		die("namespaces", &e);
	b->rules = ruleset_load(spec);
	return b;
}

static void bench_end(void *ctx)
{
	struct bench *b = ctx;

	street_close(&b->street);
}

int main(int argc, char **argv)
{
	struct rounds_of of = { .begin = bench_begin, .round = bench_round, .end = bench_end, .n_values = N_VALUES };
	double(*m)[ROUNDS_VALUES_MAX];

	if (argc < 4) {
		(void)fprintf(stderr, "usage: flow_cost FLOWS ROUNDS SPEC...\n");
		return 2;
	}
	flows_wanted = (uint32_t)strtoul(argv[1], NULL, 10);
	of.n_rounds = (uint32_t)strtoul(argv[2], NULL, 10);
	if (flows_wanted < ESTABLISHED || of.n_rounds == 0)
		die("too few flows or rounds", NULL);
	m = rounds_run(&of, argv + 3, (uint32_t)(argc - 3));
	for (int i = 0; i < argc - 3; i++)
		(void)printf("| %s | %.0f | %.2f | %.0f | %.3f | %.0f | %.0f | %.1f |\n", argv[3 + i], m[i][NEW_PASSED],
			     m[i][NEW_CPU], 1e6 / m[i][NEW_WALL], m[i][OLD_CPU], 1e6 / m[i][OLD_WALL], m[i][OLD_PASSED],
			     100 * m[0][OLD_CPU] / m[i][OLD_CPU]);
	free(m);
	return 0;
}
