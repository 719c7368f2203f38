/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which frames come through a card's address filter; runs on the host and, linked statically, in
 * the guest.
 *
 *	frames send CARD NAME=MAC...
 *		a frame for each, to that address, with the name in it
 *	frames hear CARD TITLE [GROUP...]
 *		joins the groups; prints "vw: hears TITLE", then "vw: heard TITLE NAME...", the
 *		names that came, up to one that is "end"
 *
 * A packet socket hears all that the card lets through, whomever it is for, and by itself does not
 * ask the card for more. The frames arrive in the order in which they were sent, so the end needs
 * no waiting for what may still come.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* IEEE 802: for experiments within one network. */
#define ETHERTYPE_EXPERIMENT 0x88b5
#define FRAME_LEN	     200
#define NAME_MAX_LEN	     31
#define LIMIT_S		     20

static int die(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void parse_mac(const char *text, uint8_t mac[ETH_ALEN])
{
	unsigned b[ETH_ALEN];

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) !=
	    ETH_ALEN) {
		errno = EINVAL;
		die(text);
	}
	for (int i = 0; i < ETH_ALEN; i++)
		mac[i] = (uint8_t)b[i];
}

static int open_card(const char *card)
{
	struct sockaddr_ll sa = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETHERTYPE_EXPERIMENT),
				 .sll_ifindex = (int)if_nametoindex(card)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE_EXPERIMENT));

	if (fd < 0 || !sa.sll_ifindex || bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die(card);
	return fd;
}

static void send_frames(int fd, char **names)
{
	for (; *names; names++) {
		uint8_t frame[FRAME_LEN] = {[6] = 2, [11] = 1, [12] = 0x88, [13] = 0xb5};
		const char *mac = strchr(*names, '=');

		if (!mac || mac - *names > NAME_MAX_LEN) {
			errno = EINVAL;
			die(*names);
		}
		parse_mac(mac + 1, frame);
		memcpy(frame + ETH_HLEN, *names, (size_t)(mac - *names));
		if (send(fd, frame, sizeof(frame), 0) != sizeof(frame))
			die("send");
	}
}

static void join(int fd, const char *card, const char *group)
{
	struct packet_mreq mr = {.mr_ifindex = (int)if_nametoindex(card),
				 .mr_type = PACKET_MR_MULTICAST,
				 .mr_alen = ETH_ALEN};

	parse_mac(group, mr.mr_address);
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)))
		die(group);
}

/* False when the end did not come. */
static int hear(int fd, const char *title)
{
	struct timeval limit = {.tv_sec = LIMIT_S};
	char line[512] = "";

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	printf("vw: hears %s\n", title);
	fflush(stdout);
	for (;;) {
		char frame[2048] = "";
		ssize_t n = recv(fd, frame, sizeof(frame) - 1, 0);
		const char *name = frame + ETH_HLEN;

		if (n <= ETH_HLEN || !strncmp(name, "end", NAME_MAX_LEN)) {
			/* One write: the console is shared. */
			printf("vw: heard %s%s%s\n", title, line, n <= ETH_HLEN ? " NO END" : "");
			return n > ETH_HLEN;
		}
		if (strlen(line) + NAME_MAX_LEN + 2 < sizeof(line))
			sprintf(line + strlen(line), " %.*s", NAME_MAX_LEN, name);
	}
}

int main(int argc, char **argv)
{
	int fd;

	if (argc < 4 || (strcmp(argv[1], "send") && strcmp(argv[1], "hear"))) {
		fprintf(stderr, "usage: frames send CARD NAME=MAC...\n"
				"       frames hear CARD TITLE [GROUP...]\n");
		return 1;
	}
	fd = open_card(argv[2]);
	if (argv[1][0] == 's') {
		send_frames(fd, argv + 3);
		return 0;
	}
	for (int i = 4; i < argc; i++)
		join(fd, argv[2], argv[i]);
	return !hear(fd, argv[3]);
}
