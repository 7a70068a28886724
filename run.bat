@echo off
rem The same as run.py, with a Python that it runs on: one that the launcher knows, else the one on the path.
setlocal
for %%v in (3.13 3.12 3.11) do (
    py -%%v -V >nul 2>nul && set "with=py -%%v" && goto run
)
python -V >nul 2>nul && set "with=python" && goto run
echo nextbar needs Python 3.11, 3.12 or 3.13, as from https://www.python.org/downloads/ 1>&2
exit /b 2

rem Outside of brackets, where a bracket among the arguments would end the block.
:run
%with% "%~dp0run.py" %*
exit /b %errorlevel%
