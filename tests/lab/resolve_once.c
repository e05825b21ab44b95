/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resolve_once NAME: the addresses that getaddrinfo(3) gives, one a line; exit status 1 and its reason if it gives
 * none. tests/lab/dns-clients.sh compiles it against musl, whose resolver asks in its own way. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int rc = argc == 2 ? getaddrinfo(argv[1], NULL, &hints, &list) : EAI_NONAME;

	if (rc != 0) {
		puts(gai_strerror(rc));
		return 1;
	}
	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		char text[INET6_ADDRSTRLEN];
		const void *at =
			a->ai_family == AF_INET6
				? (const void *)&((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr
				: (const void *)&((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr;

		puts(inet_ntop(a->ai_family, at, text, sizeof(text)));
	}
	freeaddrinfo(list);
	return 0;
}
