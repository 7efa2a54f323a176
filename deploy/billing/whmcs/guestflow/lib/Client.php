<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/**
 * Requests to the gateway: over TLS with a checked certificate, with a bearer token, within a time that all requests of one call of WHMCS share.
 * What did not arrive is sent again with the same Idempotency-Key, so it is done once.
 */
final class Client
{
    private const CONNECT_MS = 3000;
    private const PAUSE_US = 250000;
    private const TRIES = 3;
    private const MOST_BYTES = 4194304;
    /** Answers after which the same request may go through: a proxy without its gateway, a gateway without its Temporal. */
    private const TRY_AGAIN = [502, 503, 504];

    /** @var string */
    private $base;
    /** @var string */
    private $token;
    /** @var float seconds, as microtime has them */
    private $deadline;

    /** @param int $seconds that all its requests may take together */
    public function __construct(string $base, string $token, int $seconds = 10)
    {
        $this->base = $base;
        $this->token = $token;
        $this->deadline = microtime(true) + $seconds;
        Log::hide($token);
    }

    /**
     * @return array<mixed>
     * @throws Failure
     */
    public function get(string $path): array
    {
        return $this->ask('GET', $path, null, null);
    }

    /**
     * @param array<string, mixed> $body
     * @param string $key of the request; the same key again is the same request
     * @return array<mixed>
     * @throws Failure
     */
    public function post(string $path, array $body, string $key): array
    {
        $text = json_encode((object) $body, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        if ($text === false) {
            throw new Failure('what WHMCS sent cannot be written as JSON');
        }
        return $this->ask('POST', $path, $text, $key);
    }

    /** Whether there is time for another request. */
    public function hasTime(): bool
    {
        return $this->leftMs() > 0;
    }

    /** @return array<mixed> */
    private function ask(string $method, string $path, ?string $body, ?string $key): array
    {
        for ($try = 1; ; $try++) {
            [$status, $answer, $problem] = $this->send($method, $path, $body, $key);
            Log::write("$method $path", (string) $body, $problem === '' ? "$status $answer" : $problem);
            $isLost = $problem !== '' || in_array($status, self::TRY_AGAIN, true);
            if (!$isLost || $try === self::TRIES || $this->leftMs() < 1000) {
                return $this->read($status, $answer, $problem);
            }
            usleep(self::PAUSE_US * $try);
        }
    }

    /** @return array{int, string, string} status, body, and why there is no answer */
    private function send(string $method, string $path, ?string $body, ?string $key): array
    {
        $left = $this->leftMs();
        if ($left <= 0) {
            return [0, '', 'it did not answer in time'];
        }
        $headers = ['Authorization: Bearer ' . $this->token, 'Accept: application/json', 'Expect:'];
        $answer = '';
        $curl = curl_init();
        curl_setopt_array($curl, [
            CURLOPT_URL => $this->base . $path,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTPS | CURLPROTO_HTTP,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_SSL_VERIFYPEER => true,
            CURLOPT_SSL_VERIFYHOST => 2,
            CURLOPT_CONNECTTIMEOUT_MS => min(self::CONNECT_MS, $left),
            CURLOPT_TIMEOUT_MS => $left,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_USERAGENT => 'guestflow-whmcs',
            CURLOPT_WRITEFUNCTION => static function ($_curl, string $part) use (&$answer): int {
                $answer .= $part;
                return strlen($answer) > self::MOST_BYTES ? 0 : strlen($part);
            },
        ]);
        if ($body !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, $body);
            $headers[] = 'Content-Type: application/json';
            $headers[] = 'Idempotency-Key: ' . $key;
        }
        curl_setopt($curl, CURLOPT_HTTPHEADER, $headers);
        $isDone = curl_exec($curl) !== false;
        $status = (int) curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        return [$status, $answer, $isDone ? '' : self::reasonOf(curl_errno($curl), curl_error($curl))];
    }

    private static function reasonOf(int $code, string $words): string
    {
        $reasons = [
            CURLE_COULDNT_RESOLVE_HOST => 'its host name is not known',
            CURLE_COULDNT_CONNECT => 'nothing listens there',
            CURLE_OPERATION_TIMEDOUT => 'it did not answer in time',
            CURLE_SSL_CACERT => 'its certificate cannot be trusted (' . $words . ')',
            CURLE_WRITE_ERROR => 'its answer is too long',
        ];
        return $reasons[$code] ?? "curl says $words ($code)";
    }

    /** @return array<mixed> */
    private function read(int $status, string $answer, string $problem): array
    {
        if ($problem !== '') {
            throw new Failure('guestflow cannot be reached: ' . $problem . '. Nothing is lost: try again', 0);
        }
        $document = json_decode($answer, true, 32);
        if ($status >= 200 && $status < 300) {
            if (!is_array($document)) {
                throw new Failure("the server answered $status with something that is not guestflow's: check its host name and port", $status);
            }
            return $document;
        }
        $refusal = is_array($document) ? $document : [];
        $field = $refusal['field'] ?? '';
        throw new Failure(self::sentenceOf($status, $refusal), $status, is_string($field) ? $field : '');
    }

    /** @param array<mixed> $problem as RFC 9457 has it */
    private static function sentenceOf(int $status, array $problem): string
    {
        $detail = is_string($problem['detail'] ?? null) ? $problem['detail'] : '';
        if ($status === 401) {
            return 'guestflow does not know the token: set the password of the server in WHMCS to one of its tokens';
        }
        if ($status === 403 && is_string($problem['scope'] ?? null)) {
            return 'the token is not for ' . $problem['scope'] . ': make one with that scope';
        }
        if ($status >= 500) {
            return "guestflow cannot do it now ($status" . ($detail === '' ? '' : ": $detail") . '). Nothing is lost: try again';
        }
        if ($detail === '') {
            return "the server refused it with $status, and not as guestflow does: check its host name and port";
        }
        return "guestflow: $detail";
    }

    private function leftMs(): int
    {
        return (int) (($this->deadline - microtime(true)) * 1000);
    }
}
