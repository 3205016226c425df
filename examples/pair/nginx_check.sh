#!/bin/bash
# Succeeds when this node's web server answers, if need be after starting it once; fails when it does not.
# It asks for a page instead of counting processes, so that it also notices a server that lives but is stuck,
# and it ends within the 2 seconds that keepalived.conf gives it.

answers() {
	(
		exec 3<>/dev/tcp/127.0.0.1/88 || exit 1
		printf 'GET / HTTP/1.0\r\n\r\n' >&3
		read -r -t 0.4 _ status _ <&3 && [ "$status" = 200 ]
	) 2>/dev/null
}

answers && exit 0

# Not answering: start it. The command fails when it is running after all, or cannot run, and then the next question tells.
nginx -p /etc/nginx/ -c /etc/nginx/nginx.conf >/dev/null 2>&1 &

for _ in 1 2 3 4 5 6 7 8; do
	sleep 0.15
	answers && exit 0
done
exit 1
