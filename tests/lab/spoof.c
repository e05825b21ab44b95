/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Datagrams with whatever source one likes, put onto an interface below the kernel's own routing and filters.
 *
 * spoof INTERFACE MAC|-     lines on standard input: WORD SOURCE DESTINATION PORT
 * WORD: four letters, by which the datagram is known again. MAC: of the next hop; -: the interface has none (a tunnel).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UDP_HEADER  8
#define IP4_HEADER  20
#define IP6_HEADER  40
#define PAYLOAD	    12
#define DATAGRAM    (UDP_HEADER + PAYLOAD)
#define SOURCE_PORT 40000
#define HOPS	    64
#define PACE_US	    200 /* between two: a tunnel's process must keep up, what it loses proves nothing */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* @addrs: both, one behind the other. */
static void put_udp(uint8_t *udp, const char *word, uint16_t port, const uint8_t *addrs, size_t addrs_len)
{
	put16(udp, SOURCE_PORT);
	put16(udp + 2, port);
	put16(udp + 4, DATAGRAM);
	memcpy(udp + UDP_HEADER, word, 4);
	put16(udp + 6, fold(sum(sum(DATAGRAM + IPPROTO_UDP, addrs, addrs_len), udp, DATAGRAM)));
}

static size_t build4(uint8_t *ip, const char *word, const uint8_t *from, const uint8_t *to, uint16_t port)
{
	ip[0] = 4 << 4 | IP4_HEADER / 4;
	put16(ip + 2, IP4_HEADER + DATAGRAM);
	ip[8] = HOPS;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
	put16(ip + 10, fold(sum(0, ip, IP4_HEADER)));
	put_udp(ip + IP4_HEADER, word, port, ip + 12, 8);
	return IP4_HEADER + DATAGRAM;
}

static size_t build6(uint8_t *ip, const char *word, const uint8_t *from, const uint8_t *to, uint16_t port)
{
	ip[0] = 6 << 4;
	put16(ip + 4, DATAGRAM);
	ip[6] = IPPROTO_UDP;
	ip[7] = HOPS;
	memcpy(ip + 8, from, 16);
	memcpy(ip + 24, to, 16);
	put_udp(ip + IP6_HEADER, word, port, ip + 8, 32);
	return IP6_HEADER + DATAGRAM;
}

/* One line. False when it is not understood, or could not be sent. */
static bool send_line(int fd, struct sockaddr_ll *at, char *line)
{
	uint8_t packet[IP6_HEADER + DATAGRAM] = { 0 }, from[16], to[16];
	char *save = NULL, *word = strtok_r(line, " ", &save), *source = strtok_r(NULL, " ", &save);
	char *target = strtok_r(NULL, " ", &save), *port = strtok_r(NULL, " \n", &save);
	size_t len;
	int family;

	if (port == NULL || strlen(word) != 4)
		return false;
	family = strchr(source, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(family, source, from) != 1 || inet_pton(family, target, to) != 1)
		return false;
	if (family == AF_INET)
		len = build4(packet, word, from, to, (uint16_t)strtoul(port, NULL, 10));
	else
		len = build6(packet, word, from, to, (uint16_t)strtoul(port, NULL, 10));
	at->sll_protocol = htons(family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	return sendto(fd, packet, len, 0, (struct sockaddr *)at, sizeof(*at)) == (ssize_t)len;
}

/* "02:00:00:00:00:01"; "-" leaves none. */
static void mac_parse(char *text, struct sockaddr_ll *at)
{
	char *save = NULL;

	for (char *byte = strtok_r(text, ":", &save); byte != NULL && at->sll_halen < 6;
	     byte = strtok_r(NULL, ":", &save))
		at->sll_addr[at->sll_halen++] = (uint8_t)strtoul(byte, NULL, 16);
	if (at->sll_halen != 6)
		at->sll_halen = 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char line[256];

	if (argc != 3) {
		fputs("usage: spoof INTERFACE MAC|-\n", stderr);
		return 2;
	}
	at.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (fd == -1 || at.sll_ifindex == 0) {
		perror(argv[1]);
		return 1;
	}
	mac_parse(argv[2], &at);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (!send_line(fd, &at, line)) {
			fprintf(stderr, "not sent (%s): %s", strerror(errno), line);
			return 1;
		}
		usleep(PACE_US);
	}
	close(fd);
	return 0;
}
