<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/** How each function of the module is run: what goes wrong becomes a sentence. */
final class Call
{
    /** Seconds that a call of WHMCS may take. */
    private const SECONDS = 10;

    /**
     * @param callable(): void $work
     * @return string 'success', or a sentence
     */
    public static function run(string $function, callable $work): string
    {
        try {
            $work();
            return 'success';
        } catch (Failure $failure) {
            return $failure->getMessage();
        } catch (\Throwable $defect) {
            return self::defect($function, $defect)->getMessage();
        }
    }

    /**
     * As `run`, for a service.
     *
     * @param array<mixed> $params
     * @param callable(Provisioning): void $work
     */
    public static function forService(string $function, array $params, callable $work): string
    {
        return self::run($function, static function () use ($params, $work): void {
            $work(new Provisioning(self::clientOf($params), new Params($params)));
        });
    }

    /**
     * The way to the gateway that the server's settings name.
     *
     * @param array<mixed> $params
     * @throws Failure
     */
    public static function clientOf(array $params, int $seconds = self::SECONDS): Client
    {
        $read = new Params($params);
        $host = $read->text('serverhostname', 253);
        $host = $host === '' ? $read->text('serverip', 64) : $host;
        if (preg_match('/^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])$/D', $host) !== 1) {
            throw new Failure('the server needs a host name: that of the gateway of guestflow, without https:// and without a path');
        }
        $token = $read->text('serverpassword', 128);
        if (preg_match('/^gf_[a-z0-9-]{1,32}_[A-Za-z0-9_-]{43}$/D', $token) !== 1) {
            throw new Failure('the password of the server is no token of guestflow: guestflow gateway token makes one');
        }
        return new Client(self::schemeOf($read, $host) . '://' . $host . ':' . self::portOf($read), $token, $seconds);
    }

    /** The words of a defect would quote what WHMCS sent: its name and place are told. */
    public static function defect(string $function, \Throwable $defect): Failure
    {
        $place = get_class($defect) . ' at ' . basename($defect->getFile()) . ':' . $defect->getLine();
        Log::write($function, '', $place);
        return new Failure("this is a defect of the guestflow module ($place)");
    }

    /** A token leaves this machine only encrypted. */
    private static function schemeOf(Params $read, string $host): string
    {
        if ($read->isTrue('serversecure')) {
            return 'https';
        }
        if (in_array($host, ['127.0.0.1', 'localhost', '[::1]'], true)) {
            return 'http';
        }
        throw new Failure('the server must be set to use SSL: without it, whoever is on the way reads the token');
    }

    private static function portOf(Params $read): int
    {
        $port = $read->id('serverport');
        if ($port > 65535) {
            throw new Failure('the port of the server is none');
        }
        return $port === 0 ? 443 : $port;
    }
}
